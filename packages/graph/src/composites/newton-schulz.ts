/**
 * Newton-Schulz orthogonalisation: drives the singular values of a matrix to about 1 by X <- aX + (bA + cA^2) X, A = X X^T.
 *
 * Five steps with the published coefficients land them in about [0.68, 1.13]. A tall matrix is transposed first, so that A is
 * the smaller Gram matrix.
 * Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
 */
import { call1, composite, type Composite } from "../composite.ts";
import { dims } from "../dims.ts";
import type { Tensor } from "../tensor.ts";

const COEFFICIENTS = [3.4445, -4.775, 2.0315] as const;

export const newtonSchulzComposite: Composite = composite<{ readonly steps: number }>({
  name: "newtonSchulz",
  expand: ([g], { steps }) => {
    const matrix = g as Tensor, [rows, columns] = matrix.shape as [number, number], tall = rows > columns;
    const [a, b, c] = COEFFICIENTS;
    let x = matrix.div(matrix.square().sum().sqrt().add(1e-7));
    if (tall) x = x.transpose();
    for (let i = 0; i < steps; i++) {
      const gram = x.matmul(x, { transposeB: true });
      x = x.mul(a).add(gram.mul(b).add(gram.matmul(gram).mul(c)).matmul(x));
    }
    return [tall ? x.transpose() : x];
  },
});

/** Shapes: g `[rows, columns]` f32 -> same. */
export function newtonSchulz(g: Tensor<"f32">, steps = 5): Tensor<"f32"> {
  dims("newtonSchulz", g, "rows columns");
  return call1(newtonSchulzComposite, [g], { steps }) as Tensor<"f32">;
}
