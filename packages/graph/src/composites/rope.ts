/**
 * Rotary position embedding, half-split. Channel c of the first half turns with channel c of the second half by
 * position * base^(-2c / headDim): y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin.
 *
 * Half-split is the layout of the ESM-2 and ModernBERT checkpoints; it is not the interleaved layout.
 * Source: Su et al. 2021, arXiv:2104.09864, eq. 34.
 */
import { call1, composite, type Composite } from "../composite.ts";
import { dims } from "../dims.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";

type RopeParams = { readonly base: number; readonly inverse: boolean };

export const ropeComposite: Composite = composite<RopeParams>({
  name: "rope",
  expand: (args, params) => {
    const [x, positions] = args as [Tensor, Tensor<"i32">];
    const half = (x.shape[3] as number) / 2;
    const { cos, sin } = angles(positions, half, params.base);
    const x1 = x.slice(3, 0, half);
    const x2 = x.slice(3, half, 2 * half);
    const turn = params.inverse ? sin.neg() : sin;
    return [
      x1
        .mul(cos)
        .sub(x2.mul(turn))
        .concat([x2.mul(cos).add(x1.mul(turn))], 3),
    ];
  },
  // The map is a rotation: its transpose is the rotation back.
  vjp: ([ct], _, [, positions], params) => [
    call1(ropeComposite, [ct as Tensor, positions as Tensor], { ...params, inverse: !params.inverse }),
    undefined,
  ],
});

/** cos and sin of every angle, [batch, 1, seq, half]. */
function angles(positions: Tensor<"i32">, half: number, base: number): { readonly cos: Tensor; readonly sin: Tensor } {
  const [batch, seq] = positions.shape as [number, number];
  const frequency = positions.graph
    .iota([half], 0)
    .cast("f32")
    .mul(-Math.log(base) / half)
    .exp();
  const angle = positions.cast("f32").reshape([batch, 1, seq, 1]).mul(frequency);
  return { cos: angle.cos(), sin: angle.sin() };
}

/**
 * Turns each pair of channels of q or k by the position of the token.
 *
 * Shapes: x `[batch, heads, seq, headDim]` f32, positions `[batch | 1, seq]` i32 -> like x. Throws ShapeError if
 * headDim is odd.
 */
export function rope(x: Tensor<"f32">, positions: Tensor<"i32">, base = 10_000): Tensor<"f32"> {
  const { batch, seq, headDim } = dims("rope(x)", x, "batch heads seq headDim");
  dims("rope(positions)", positions, "batch seq", { batch: positions.shape[0] === 1 ? 1 : batch, seq });
  if (headDim % 2 !== 0)
    throw new ShapeError({ op: "rope", path: x.graph.path, expected: "an even head dimension", got: `${headDim}` });
  return call1(ropeComposite, [x, positions], { base, inverse: false }) as Tensor<"f32">;
}
