/**
 * Composites that ONNX has an operator for. The others arrive as their expansions.
 *
 * A row says when it applies and makes all outputs of the composite at once. Only f32: what is narrower takes the expansion,
 * which rounds where the interpreter rounds.
 */
import type { Node, Shape, Tensor } from "@cloze/graph";
import { sizeOf } from "@cloze/graph";
import type { Emitter, Value } from "./emitter.ts";

export interface LowerComposite {
  readonly applies?: (x: Node<"composite">) => boolean;
  /** `wanted[i]`: output i is read. */
  readonly lower: (x: Node<"composite">, args: readonly Value[], wanted: readonly boolean[], e: Emitter) => readonly (Value | undefined)[];
}

const lastAxis = (x: Tensor): Shape => [...x.shape.slice(0, -1), 1];

export const compositeTable: Readonly<Record<string, LowerComposite>> = {
  softmax: {
    applies: (x) => x.attrs.params.axis === x.rank - 1,
    lower: (x, [a], _, e) => [e.emit("Softmax", [a], "f32", x.shape, { axis: { int: x.attrs.params.axis as number } })],
  },
  gelu: { lower: (x, [a], _, e) => [e.emit("Gelu", [a], "f32", x.shape)] },
  geluTanh: { lower: (x, [a], _, e) => [e.emit("Gelu", [a], "f32", x.shape, { approximate: { text: "tanh" } })] },
  sigmoid: { lower: (x, [a], _, e) => [e.emit("Sigmoid", [a], "f32", x.shape)] },
  layerNorm: {
    lower: (x, args, wanted, e) => {
      const input = x.args[0] as Tensor, kept = { type: "f32", shape: lastAxis(input) } as const;
      return e.emitAll(
        "LayerNormalization", args, [{ type: "f32", shape: input.shape }, wanted[1] ? kept : undefined, wanted[2] ? kept : undefined],
        { axis: { int: -1 }, epsilon: { float: x.attrs.params.eps as number } },
      );
    },
  },
};

export const NATIVE_COMPOSITES: readonly string[] = Object.keys(compositeTable);

/** Whether this composite is taken whole: what `lower(program, { native })` asks. */
export function isNative(x: Node<"composite">): boolean {
  const row = Object.hasOwn(compositeTable, x.attrs.composite.name) ? compositeTable[x.attrs.composite.name] : undefined;
  return row !== undefined && x.args.every((a) => a.dtype === "f32" && sizeOf(a.shape) > 0) && (row.applies?.(x) ?? true);
}
