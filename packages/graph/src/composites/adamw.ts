/**
 * One AdamW step of one parameter, with decoupled weight decay.
 *
 *   m <- beta1 m + (1 - beta1) g          v <- beta2 v + (1 - beta2) g^2
 *   p <- p - lr * decay * p - step * m / (sqrt(v) + eps')
 *
 * with g = gradient * gradScale (clipping and the loss weight), step = lr * sqrt(1 - beta2^t) / (1 - beta1^t) and eps'
 * = eps * sqrt(1 - beta2^t). The two scalars step and eps' include the bias corrections; the result equals the textbook
 * form. Every value that changes from step to step is a tensor: lr, step, epsHat, gradScale are scalars []. Source:
 * Loshchilov and Hutter 2019, arXiv:1711.05101. Checked against torch.optim.AdamW.
 */
import { call, composite, type Composite } from "../composite.ts";
import type { Tensor } from "../tensor.ts";

type AdamWParams = { readonly beta1: number; readonly beta2: number; readonly decay: number };

export const adamwComposite: Composite = composite<AdamWParams>({
  name: "adamw",
  expand: (args, { beta1, beta2, decay }) => {
    const [p, grad, m, v, lr, step, epsHat, gradScale] = args as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    // The gradient's scale goes into the scalars: this saves one pass over the gradient.
    const m2 = m.mul(beta1).add(grad.mul(gradScale.mul(1 - beta1)));
    const v2 = v.mul(beta2).add(grad.square().mul(gradScale.square().mul(1 - beta2)));
    const decayed = decay === 0 ? p : p.mul(lr.mul(-decay).add(1));
    return [decayed.sub(m2.mul(step).div(v2.sqrt().add(epsHat))), m2, v2];
  },
});

export interface AdamWScalars {
  readonly lr: Tensor<"f32">;
  /** lr * sqrt(1 - beta2^t) / (1 - beta1^t). */
  readonly step: Tensor<"f32">;
  /** eps * sqrt(1 - beta2^t). */
  readonly epsHat: Tensor<"f32">;
  readonly gradScale: Tensor<"f32">;
}

/** Shapes: p, grad, m, v alike, f32 -> the new p, m, v. */
export function adamwStep(
  p: Tensor<"f32">,
  grad: Tensor<"f32">,
  m: Tensor<"f32">,
  v: Tensor<"f32">,
  scalars: AdamWScalars,
  params: AdamWParams,
): { readonly p: Tensor<"f32">; readonly m: Tensor<"f32">; readonly v: Tensor<"f32"> } {
  const out = call(
    adamwComposite,
    [p, grad, m, v, scalars.lr, scalars.step, scalars.epsHat, scalars.gradScale],
    params,
  );
  return { p: out[0] as Tensor<"f32">, m: out[1] as Tensor<"f32">, v: out[2] as Tensor<"f32"> };
}
