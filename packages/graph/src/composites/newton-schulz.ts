/**
 * Newton-Schulz orthogonalisation: moves the singular values of a matrix to about 1 by
 * X <- aX + (bA + cA^2) X, A = X X^T.
 *
 * Muon uses one (a, b, c) for five steps; the singular values end in about [0.68, 1.13]. Polar Express uses other
 * coefficients in each step, the best ones for the singular values after the earlier steps, and comes closer to 1. A
 * tall matrix is transposed first, so that A is the smaller Gram matrix. Sources: Jordan et al. 2024, "Muon: an
 * optimizer for hidden layers in neural networks"; Amsel et al. 2025, arXiv:2505.16932 (five steps, for singular values
 * from 1e-3 up, with a safety factor of 2 % as in modded-nanogpt).
 */
import { ConfigError } from "@cloze/errors";
import { call1, composite, type Composite } from "../composite.ts";
import { dims } from "../dims.ts";
import type { Tensor } from "../tensor.ts";

const MUON = [3.4445, -4.775, 2.0315];

const POLAR_EXPRESS = [
  8.156554524902461, -22.48329292557795, 15.878769915207462, 4.042929935166739, -2.808917465908714, 0.5000178451051316,
  3.8916678022926607, -2.772484153217685, 0.5060648178503393, 3.285753657755655, -2.3681294933425376,
  0.46449024233003106, 2.3465413258596377, -1.7097828382687081, 0.42323551169305323,
];

/** `coefficients`: a, b, c of each step. `bound`: the input is first scaled to a Frobenius norm of 1 / bound. */
type NewtonSchulzParams = { readonly coefficients: readonly number[]; readonly bound: number };

export const newtonSchulzComposite: Composite = composite<NewtonSchulzParams>({
  name: "newtonSchulz",
  expand: ([g], { coefficients, bound }) => {
    const matrix = g as Tensor;
    const [rows, columns] = matrix.shape as [number, number];
    const tall = rows > columns;
    const norm = matrix.square().sum().sqrt();
    let x = matrix.div((bound === 1 ? norm : norm.mul(bound)).add(1e-7));
    if (tall) x = x.transpose();
    for (let i = 0; i < coefficients.length; i += 3) {
      const [a, b, c] = coefficients.slice(i, i + 3) as [number, number, number];
      const gram = x.matmul(x, { transposeB: true });
      x = x.mul(a).add(gram.mul(b).add(gram.matmul(gram).mul(c)).matmul(x));
    }
    return [tall ? x.transpose() : x];
  },
});

/** Shapes: g `[rows, columns]` f32 -> same. */
export function newtonSchulz(g: Tensor<"f32">, steps = 5): Tensor<"f32"> {
  dims("newtonSchulz", g, "rows columns");
  const coefficients = Array.from({ length: steps }, () => MUON).flat();
  return call1(newtonSchulzComposite, [g], { coefficients, bound: 1 }) as Tensor<"f32">;
}

/** Shapes: g `[rows, columns]` f32 -> same. At most five steps: the table has coefficients for five. */
export function polarExpress(g: Tensor<"f32">, steps = 5): Tensor<"f32"> {
  dims("polarExpress", g, "rows columns");
  if (!(Number.isInteger(steps) && steps >= 1 && steps * 3 <= POLAR_EXPRESS.length))
    throw new ConfigError(`polarExpress: expected 1 to ${POLAR_EXPRESS.length / 3} steps, got ${steps}.`);
  return call1(newtonSchulzComposite, [g], {
    coefficients: POLAR_EXPRESS.slice(0, 3 * steps),
    bound: 1.02,
  }) as Tensor<"f32">;
}
