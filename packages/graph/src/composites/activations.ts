/**
 * Elementwise activations: gelu (exact, with erf), geluTanh (the approximation of BERT's TensorFlow code), silu,
 * sigmoid, relu.
 *
 * Sources: Hendrycks and Gimpel 2016, arXiv:1606.08415 (GELU, both forms); Elfwing et al. 2017, arXiv:1702.03118
 * (SiLU).
 */
import { call1, composite, type Composite } from "../composite.ts";
import type { Tensor } from "../tensor.ts";

/** x * P(X <= x) for a standard normal X. */
export const geluComposite: Composite = composite<Record<never, never>>({
  name: "gelu",
  expand: ([x]) => [(x as Tensor).mul(normalCdf(x as Tensor))],
  // d/dx [x cdf(x)] = cdf(x) + x pdf(x). With t = x / sqrt(2), which the cdf has too:
  // x pdf(x) = t / exp(t^2) / sqrt(pi)
  vjp: ([ct], _, [input]) => {
    const x = input as Tensor;
    const t = x.mul(Math.SQRT1_2);
    return [(ct as Tensor).mul(normalCdf(x).add(t.div(t.square().exp()).mul(1 / Math.sqrt(Math.PI))))];
  },
});

const normalCdf = (x: Tensor): Tensor => x.mul(Math.SQRT1_2).erf().mul(0.5).add(0.5);

export const geluTanhComposite: Composite = composite<Record<never, never>>({
  name: "geluTanh",
  expand: ([input]) => {
    const x = input as Tensor;
    const inner = x.add(x.square().mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
    return [x.mul(inner.tanh().add(1)).mul(0.5)];
  },
});

export const sigmoidComposite: Composite = composite<Record<never, never>>({
  name: "sigmoid",
  // Through tanh: no overflow for any x.
  expand: ([x]) => [(x as Tensor).mul(0.5).tanh().mul(0.5).add(0.5)],
  vjp: ([ct], [y]) => [(ct as Tensor).mul(y as Tensor).mul((y as Tensor).neg().add(1))],
});

export const siluComposite: Composite = composite<Record<never, never>>({
  name: "silu",
  expand: ([x]) => [(x as Tensor).mul(call1(sigmoidComposite, [x as Tensor]))],
});

/** Shapes: x `[...]` f32 -> same. All activations here have these shapes. */
export const gelu = (x: Tensor<"f32">): Tensor<"f32"> => call1(geluComposite, [x]) as Tensor<"f32">;
export const geluTanh = (x: Tensor<"f32">): Tensor<"f32"> => call1(geluTanhComposite, [x]) as Tensor<"f32">;
export const silu = (x: Tensor<"f32">): Tensor<"f32"> => call1(siluComposite, [x]) as Tensor<"f32">;
export const sigmoid = (x: Tensor<"f32">): Tensor<"f32"> => call1(sigmoidComposite, [x]) as Tensor<"f32">;
export const relu = (x: Tensor<"f32">): Tensor<"f32"> => x.max(0);
