/**
 * Composites with an ONNX operator. All other composites arrive as their expansions.
 *
 * A row says when it applies and makes all outputs of the composite at once. Floats are f32. A narrower float uses the
 * expansion, which rounds where the interpreter rounds.
 */
import {
  isFloat,
  isOp,
  order,
  programRoots,
  sizeOf,
  type Node,
  type Program,
  type Shape,
  type Tensor,
} from "@cloze/graph";
import type { Emitter, Value } from "./emitter.ts";

export interface LowerComposite {
  readonly applies?: (x: Node<"composite">) => boolean;
  /**
   * Used whole only where no other node shares its inner nodes. GELU's gradient needs the normal distribution function
   * that GELU itself computes, so in a training step the expansion is cheaper than the operator.
   */
  readonly alone?: true;
  /** `wanted[i]`: a node reads output i. */
  readonly lower: (
    x: Node<"composite">,
    args: readonly Value[],
    wanted: readonly boolean[],
    e: Emitter,
  ) => readonly (Value | undefined)[];
}

const lastAxis = (x: Tensor): Shape => [...x.shape.slice(0, -1), 1];

export const compositeTable: Readonly<Record<string, LowerComposite>> = {
  softmax: {
    applies: (x) => x.attrs.params.axis === x.rank - 1,
    lower: (x, [a], _, e) => [e.emit("Softmax", [a], "f32", x.shape, { axis: { int: x.attrs.params.axis as number } })],
  },
  gelu: { alone: true, lower: (x, [a], _, e) => [e.emit("Gelu", [a], "f32", x.shape)] },
  geluTanh: {
    alone: true,
    lower: (x, [a], _, e) => [e.emit("Gelu", [a], "f32", x.shape, { approximate: { text: "tanh" } })],
  },
  sigmoid: { lower: (x, [a], _, e) => [e.emit("Sigmoid", [a], "f32", x.shape)] },
  rope: {
    lower: (x, args, _, e) => {
      const half = (x.shape[3] as number) / 2;
      const slope = Math.fround(-Math.log(x.attrs.params.base as number) / half);
      return [
        rotate(
          x,
          args,
          Array.from({ length: half }, (__, i) => Math.fround(Math.exp(Math.fround(i * slope)))),
          e,
        ),
      ];
    },
  },
  ropeByFrequency: { lower: (x, args, _, e) => [rotate(x, args, x.attrs.params.frequencies as readonly number[], e)] },
  layerNorm: {
    lower: (x, args, wanted, e) => {
      const input = x.args[0] as Tensor;
      const kept = { type: "f32", shape: lastAxis(input) } as const;
      return e.emitAll(
        "LayerNormalization",
        args,
        [{ type: "f32", shape: input.shape }, wanted[1] ? kept : undefined, wanted[2] ? kept : undefined],
        { axis: { int: -1 }, epsilon: { float: x.attrs.params.eps as number } },
      );
    },
  },
};

/**
 * RotaryEmbedding over tables of cos and sin, which all layers share. Positions that differ by row need tables by row.
 * Otherwise one row of tables is indexed by 0, 1, 2, ….
 */
function rotate(x: Node<"composite">, args: readonly Value[], frequencies: readonly number[], e: Emitter): Value {
  const [input, positions] = args as [Value, Value];
  const [batch, , seq] = x.shape as [number, number, number, number];
  const half = frequencies.length;
  const rows = positions.shape[0] as number;
  const table = (op: "Cos" | "Sin"): Value =>
    e.shared(`${op} ${positions.name} ${frequencies.join()}`, () => {
      const angles = e.shared(`angles ${positions.name} ${frequencies.join()}`, () =>
        e.emit(
          "Mul",
          [e.reshape(e.cast(positions, "f32"), [rows, seq, 1]), e.constant("f32", [half], frequencies)],
          "f32",
          [rows, seq, half],
        ),
      );
      return e.emit(op, [angles], "f32", angles.shape);
    });
  const cos = table("Cos");
  const turned = table("Sin");
  const sin = x.attrs.params.inverse
    ? e.shared(`Neg ${turned.name}`, () => e.emit("Neg", [turned], "f32", turned.shape))
    : turned;
  if (rows === batch) return e.emit("RotaryEmbedding", [input, cos, sin], "f32", x.shape);
  const flat = (v: Value): Value => e.shared(`flat ${v.name}`, () => e.reshape(v, [seq, half]));
  const index = e.shared(`rows ${batch} ${seq}`, () =>
    e.constant(
      "i64",
      [batch, seq],
      Array.from({ length: batch * seq }, (_, i) => i % seq),
    ),
  );
  return e.emit("RotaryEmbedding", [input, flat(cos), flat(sin), index], "f32", x.shape);
}

export const NATIVE_COMPOSITES: readonly string[] = Object.keys(compositeTable);

/** Whether the model can use this composite whole. */
function fits(x: Node<"composite">): boolean {
  const row = Object.hasOwn(compositeTable, x.attrs.composite.name)
    ? compositeTable[x.attrs.composite.name]
    : undefined;
  return (
    row !== undefined &&
    x.args.every((a) => (a.dtype === "f32" || !isFloat(a.dtype)) && sizeOf(a.shape) > 0) &&
    (row.applies?.(x) ?? true)
  );
}

/**
 * Says which composites of a program the model uses whole: the option `native` of `lower(program, { native })`.
 *
 * A composite with `alone` is expanded where the program uses inner nodes of its expansion anyway.
 */
export function nativeIn(p: Program): (x: Node<"composite">) => boolean {
  const nodes = order(programRoots(p));
  const used = new Set(nodes);
  const shared = new Set<string>();
  for (const x of nodes) {
    if (
      isOp(x, "composite") &&
      fits(x) &&
      compositeTable[x.attrs.composite.name]?.alone &&
      innerNodes(x).some((y) => used.has(y))
    )
      shared.add(x.attrs.composite.name);
  }
  return (x) => fits(x) && !shared.has(x.attrs.composite.name);
}

/** Nodes of the expansion between the args and the outputs, without constants. */
function innerNodes(x: Node<"composite">): readonly Tensor[] {
  const seen = new Set<Tensor>(x.args);
  const stack = [...x.graph.expansion(x.attrs.composite, x.args, x.attrs.params)];
  const inner: Tensor[] = [];
  for (let y = stack.pop(); y !== undefined; y = stack.pop()) {
    if (seen.has(y) || y.args.length === 0) continue;
    seen.add(y);
    inner.push(y);
    stack.push(...y.args);
  }
  return inner;
}
