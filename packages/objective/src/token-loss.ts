/**
 * The loss of predicted tokens, and two terms that training may add to it:
 *
 *     cross entropy     CE = logSumExp(z) - z[target]
 *     label smoothing   e * (z[target] - mean z)      CE + this term =
 *                                                     (1 - e) CE + e * mean over the vocabulary of -log p
 *     z-loss            c * logSumExp(z)^2            keeps the normaliser of the softmax near 1
 *
 * Both are further terms: `loss`, which is evaluated and compared, stays the plain cross entropy. Without the further
 * terms, the graph is the graph of the cross entropy alone. The z-loss is a mean over the predicted tokens, each with
 * weight 1. The smoothing has the same weights as the cross entropy.
 *
 * Sources: Szegedy et al. 2015, arXiv:1512.00567, section 7, checked against PyTorch's cross_entropy(label_smoothing);
 * Chowdhery et al. 2022, arXiv:2204.02311, section 5 (c = 1e-4).
 */
import { ConfigError } from "@cloze/errors";
import { crossEntropy, logSumExp, type Tensor } from "@cloze/graph";
import type { LossTerm, LossTerms, Prepared, WeightedSum } from "./objective.ts";

export interface TokenLossOptions {
  /** Fraction of the target that is spread over the whole vocabulary, from 0 to below 1. Default 0. */
  readonly labelSmoothing?: number;
  /** Factor of logSumExp(logits)^2. Default 0; PaLM uses 1e-4. */
  readonly zLoss?: number;
}

/** Names of these options, for an objective's list of known options. */
export const TOKEN_LOSS_KEYS = ["labelSmoothing", "zLoss"] as const;

export interface PredictedTokens {
  /** f32 [n, vocab]. */
  readonly logits: Tensor<"f32">;
  /** i32 [n]. */
  readonly targets: Tensor<"i32">;
  /** f32 [n]: the weight of each token, 0 for an empty slot. Without `weight`, every other token has weight 1. */
  readonly weights: Tensor<"f32">;
  /** f32 []: the divisor of the summed losses. Default: the sum of the weights. */
  readonly weight?: Tensor<"f32">;
}

export interface TokenLoss {
  /** The options that are not 0, as plain data. */
  readonly options: TokenLossOptions;
  /**
   * The loss, its further terms and the accuracy. With further terms, the metrics also contain the cross entropy, and
   * the z-loss if it is on.
   */
  terms(predicted: PredictedTokens): LossTerms;
  /**
   * `Prepared.weights` of a batch with `predicted` tokens. `loss`: the divisor of the loss, where it is not the number
   * of predicted tokens.
   */
  weights(predicted: number, loss?: number): NonNullable<Prepared["weights"]>;
}

/** Makes the token loss of an objective. Throws ConfigError with the objective's name for options out of range. */
export function tokenLoss(objective: string, { labelSmoothing = 0, zLoss = 0 }: TokenLossOptions = {}): TokenLoss {
  if (!(Number.isFinite(labelSmoothing) && labelSmoothing >= 0 && labelSmoothing < 1))
    throw new ConfigError(
      `${objective}: labelSmoothing: expected a share from 0 to below 1, got ${labelSmoothing}. Usual is 0.1.`,
    );
  if (!(Number.isFinite(zLoss) && zLoss >= 0))
    throw new ConfigError(`${objective}: zLoss: expected a weight of 0 or more, got ${zLoss}. Usual is 1e-4.`);
  return {
    options: { ...(labelSmoothing > 0 && { labelSmoothing }), ...(zLoss > 0 && { zLoss }) },
    weights: (predicted, loss = predicted) => ({
      loss,
      ...(labelSmoothing > 0 && { labelSmoothing: loss }),
      ...(zLoss > 0 && { zLoss: predicted }),
    }),
    terms(predicted) {
      const { logits, targets, weights } = predicted;
      const each = predicted.weight === undefined ? weights : weights.greater(0).cast("f32");
      const count = each.sum();
      const predictions = logits.argMax(-1);
      const loss: WeightedSum = {
        sum: crossEntropy(logits, targets).mul(weights).sum(),
        weight: predicted.weight ?? count,
      };
      const further: Record<string, LossTerm> = {};
      const metrics: Record<string, WeightedSum> = {
        accuracy: { sum: predictions.equal(targets).cast("f32").mul(each).sum(), weight: count },
      };
      if (labelSmoothing > 0)
        further["labelSmoothing"] = {
          sum: aboveMean(logits, targets).mul(weights).sum(),
          weight: loss.weight,
          factor: labelSmoothing,
        };
      if (zLoss > 0) {
        metrics["zLoss"] = { sum: logSumExp(logits).reshape([-1]).square().mul(each).sum(), weight: count };
        further["zLoss"] = { ...metrics["zLoss"], factor: zLoss };
      }
      if (labelSmoothing > 0 || zLoss > 0) metrics["crossEntropy"] = loss;
      return { loss, further, metrics, tokens: { predictions, targets, weights } };
    },
  };
}

/** z[target] - mean z, f32 [n]. */
function aboveMean(logits: Tensor<"f32">, targets: Tensor<"i32">): Tensor<"f32"> {
  const isTarget = logits.graph.iota([1, logits.shape[1] as number], 1).equal(targets.reshape([-1, 1]));
  return isTarget.select(logits, 0).sum(-1).sub(logits.mean(-1));
}
