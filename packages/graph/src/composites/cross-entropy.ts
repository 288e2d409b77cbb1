/**
 * Cross-entropy of integer targets: loss_i = logSumExp(logits_i) - logits_i[target_i].
 *
 * Outputs the loss and the log-sum-exp of each row. Own gradient: (exp(logits - lse) - onehot(target)) * ct; the
 * gradient rebuilds the probabilities from lse and never keeps them.
 */
import { call, composite, type Composite } from "../composite.ts";
import { dims } from "../dims.ts";
import type { Tensor } from "../tensor.ts";
import { logSumExp } from "./softmax.ts";

const isTarget = (logits: Tensor, targets: Tensor<"i32">): Tensor<"bool"> =>
  logits.graph.iota([1, logits.shape[1] as number], 1).equal(targets.reshape([-1, 1]));

export const crossEntropyComposite: Composite = composite<Record<never, never>>({
  name: "crossEntropy",
  expand: (args) => {
    const [logits, targets] = args as [Tensor<"f32">, Tensor<"i32">];
    const lse = logSumExp(logits);
    const picked = isTarget(logits, targets).select(logits, 0).sum(-1, true);
    return [lse.sub(picked).reshape([-1]), lse];
  },
  vjp: ([ct, ctLse], [, lse], args) =>
    ct === undefined || ctLse !== undefined
      ? undefined
      : [call(crossEntropyBackwardComposite, [ct, lse as Tensor, ...args])[0], undefined],
});

/** args: ct [n], lse [n, 1], logits [n, vocab], targets [n]. Output: dlogits. */
export const crossEntropyBackwardComposite: Composite = composite<Record<never, never>>({
  name: "crossEntropyBackward",
  expand: (args) => {
    const [ct, lse, logits, targets] = args as [Tensor<"f32">, Tensor<"f32">, Tensor<"f32">, Tensor<"i32">];
    const probabilities = logits.sub(lse).exp();
    const one = logits.graph.const(1, logits.dtype);
    return [probabilities.sub(isTarget(logits, targets).select(one, 0)).mul(ct.reshape([-1, 1]))];
  },
});

/**
 * Negative log likelihood of each target, in nats.
 *
 * Shapes: logits `[n, vocab]` f32, targets `[n]` i32 in [0, vocab) -> `[n]`.
 */
export function crossEntropy(logits: Tensor<"f32">, targets: Tensor<"i32">): Tensor<"f32"> {
  const { n } = dims("crossEntropy(logits)", logits, "n vocab");
  dims("crossEntropy(targets)", targets, "n", { n });
  return call(crossEntropyComposite, [logits, targets])[0] as Tensor<"f32">;
}
