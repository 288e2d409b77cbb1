/**
 * Rotary positions, by base or by explicit frequencies.
 *
 * Frequencies are usually base^(-2c / headDim). For these frequencies the function is `rope` of @cloze/graph. A
 * checkpoint may have its own frequencies: the published ESM-2 weights were trained with frequencies rounded to f16,
 * and frequencies computed again in f32 would change the model.
 */
import { call1, composite, dims, rope, ShapeError, type Composite, type Tensor } from "@cloze/graph";

type TurnParams = { readonly frequencies: readonly number[]; readonly inverse: boolean };

/** Half-split rotation, as in `rope`. Its gradient is the rotation back. */
export const ropeByFrequencyComposite: Composite = composite<TurnParams>({
  name: "ropeByFrequency",
  expand: (args, { frequencies, inverse }) => {
    const [x, positions] = args as [Tensor, Tensor<"i32">];
    const half = frequencies.length;
    const { graph } = x;
    const [first, ...rest] = frequencies.map((f) => graph.full([1], f, "f32")) as [Tensor<"f32">, ...Tensor<"f32">[]];
    const angle = positions
      .cast("f32")
      .reshape([...positions.shape.slice(0, 1), 1, ...positions.shape.slice(1), 1])
      .mul(rest.length > 0 ? first.concat(rest, 0) : first);
    const cos = angle.cos() as Tensor;
    const sin = (inverse ? angle.sin().neg() : angle.sin()) as Tensor;
    const x1 = x.slice(3, 0, half);
    const x2 = x.slice(3, half, 2 * half);
    return [
      x1
        .mul(cos)
        .sub(x2.mul(sin))
        .concat([x2.mul(cos).add(x1.mul(sin))], 3),
    ];
  },
  vjp: ([ct], _, [, positions], params) => [
    call1(ropeByFrequencyComposite, [ct as Tensor, positions as Tensor], { ...params, inverse: !params.inverse }),
    undefined,
  ],
});

export interface RotaryOptions {
  /** i32 `[batch | 1, seq]`. */
  readonly positions: Tensor<"i32">;
  /** Default 10,000. */
  readonly base?: number;
  /** headDim / 2 numbers, in radians per position, instead of `base`. */
  readonly frequencies?: readonly number[];
}

/**
 * Shapes: x `[batch, heads, seq, headDim]` f32 -> same.
 * Throws ShapeError if headDim is odd or not twice the number of frequencies.
 */
export function rotary(x: Tensor<"f32">, { positions, base, frequencies }: RotaryOptions): Tensor<"f32"> {
  if (frequencies === undefined) return rope(x, positions, base);
  const { batch, seq, headDim } = dims("rotary(x)", x, "batch heads seq headDim");
  dims("rotary(positions)", positions, "batch seq", { batch: positions.shape[0] === 1 ? 1 : batch, seq });
  if (headDim !== 2 * frequencies.length)
    throw new ShapeError({
      op: "rotary(frequencies)",
      path: x.graph.path,
      expected: `half the head dimension ${headDim}`,
      got: `${frequencies.length}`,
    });
  return call1(ropeByFrequencyComposite, [x, positions], { frequencies, inverse: false }) as Tensor<"f32">;
}
