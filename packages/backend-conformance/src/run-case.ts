/** The program of a case: forward, or the gradient by every float input with drawn cotangents. */
import {
  Graph,
  isFloat,
  isOp,
  order,
  program,
  pullback,
  type DType,
  type HostTensor,
  type HostTensors,
  type Program,
  type Tensor,
} from "@cloze/graph";
import type { Case } from "./case.ts";
import { drawInput } from "./draw.ts";

export type Direction = "forward" | "gradient";

export interface BuiltCase {
  readonly program: Program;
  readonly feeds: HostTensors;
}

/** Builds the program and draws its feeds. Undefined where the direction is gradient and the case has none. */
export function buildCase(c: Case, dtype: DType, direction: Direction): BuiltCase | undefined {
  const graph = new Graph();
  const built = c.build(graph, dtype);
  const ys = Array.isArray(built) ? (built as readonly Tensor[]) : [built as Tensor];
  const inputs = order(ys).filter((x) => isOp(x, "input"));
  const feeds: Record<string, HostTensor> = Object.fromEntries(
    inputs.map((x) => [x.attrs.name, drawInput(x.attrs.name, x.dtype, x.shape, c.inputs?.[x.attrs.name])]),
  );
  if (direction === "forward") return { program: program(graph, { state: [], outputs: numbered("y", ys) }), feeds };
  const through = ys.filter((y) => isFloat(y.dtype));
  const by = inputs.filter((x) => isFloat(x.dtype));
  if (c.gradient === false || through.length === 0 || by.length === 0) return undefined;
  const cotangents = through.map((y, i) => graph.input(`ct${i}`, y.dtype, y.shape));
  const grads = pullback(through, cotangents, by).flatMap((g, i) =>
    g === undefined ? [] : [[`d ${(by[i] as (typeof by)[number]).attrs.name}`, g] as const],
  );
  if (grads.length === 0) return undefined;
  const gradient = program(graph, { state: [], outputs: Object.fromEntries(grads) });
  // Feeds are only the inputs that the gradient reads. The gradient of a linear op does not read the op's input.
  const read = new Map(gradient.feeds.map((f) => [f.attrs.name, f]));
  return {
    program: gradient,
    feeds: Object.fromEntries(
      [...read].map(([name, f]) => [name, feeds[name] ?? drawInput(name, f.dtype, f.shape, { uniform: [-1, 1] })]),
    ),
  };
}

const numbered = (name: string, xs: readonly Tensor[]): Record<string, Tensor> =>
  Object.fromEntries(xs.map((x, i) => [xs.length === 1 ? name : `${name}${i}`, x]));
