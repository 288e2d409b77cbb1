/**
 * Dynamic loss scaling for f16. Small gradients vanish in 16 bits, so the loss's cotangent is multiplied by a scale, as
 * large as the gradients allow. The step applies the scale on the graph (`gradients`, `clipScale`). This file chooses
 * the scale, on the host:
 *
 *   a step that overflowed   scale <- max(minScale, scale * backoffFactor), and its update was skipped
 *   growthInterval good ones scale <- min(maxScale, scale * growthFactor)
 *
 * Scales are powers of two, so that multiplication and division by a scale are exact. Outcomes may arrive late. Each
 * outcome names the scale of its step, so steps that started before the scale fell do not lower it twice. Names and
 * values come from torch.amp.GradScaler. Source: Micikevicius et al. 2018, arXiv:1710.03740, section 3.2.
 */
import { ConfigError } from "@cloze/errors";

export interface LossScaleOptions {
  /** Default 2^16. */
  readonly initScale?: number;
  /** Default 2. */
  readonly growthFactor?: number;
  /** Default 0.5. */
  readonly backoffFactor?: number;
  /** Good steps in a row before the scale grows. Default 2000. */
  readonly growthInterval?: number;
  /** Default 1: where gradients overflow at a scale of 1, no smaller scale helps. */
  readonly minScale?: number;
  /** Default 2^24. */
  readonly maxScale?: number;
}

/** The state of the loss scale: plain data for a checkpoint. */
export interface LossScale {
  readonly scale: number;
  /** Good steps since the scale last changed. */
  readonly goodSteps: number;
  /** Number of steps without an update since the start. The optimizer does not count these steps. */
  readonly skippedSteps: number;
}

export interface StepOutcome {
  /** The loss scale of the step. */
  readonly scale: number;
  /** False where the loss or the norm of its gradient was not finite. */
  readonly finite: boolean;
}

export interface LossScaler {
  readonly initial: LossScale;
  /** The smallest scale. A step that overflows at this scale cannot be saved. */
  readonly minScale: number;
  next(before: LossScale, outcome: StepOutcome): LossScale;
}

export function lossScaler(options: LossScaleOptions = {}): LossScaler {
  const {
    initScale = 2 ** 16,
    growthFactor = 2,
    backoffFactor = 0.5,
    growthInterval = 2000,
    minScale = 1,
    maxScale = 2 ** 24,
  } = options;
  for (const [name, value] of Object.entries({ initScale, growthFactor, backoffFactor, minScale, maxScale })) {
    if (!(value > 0 && Number.isInteger(Math.log2(value))))
      throw new ConfigError(
        `lossScaler: expected a power of two as ${name}, got ${value}. Other scales round the gradients.`,
      );
  }
  if (!(growthFactor > 1 && backoffFactor < 1))
    throw new ConfigError(
      `lossScaler: expected growthFactor above 1 and backoffFactor below, got ${growthFactor} and ${backoffFactor}.`,
    );
  if (!(minScale <= initScale && initScale <= maxScale))
    throw new ConfigError(
      `lossScaler: expected minScale <= initScale <= maxScale, got ${minScale}, ${initScale} and ${maxScale}.`,
    );
  if (!(Number.isSafeInteger(growthInterval) && growthInterval >= 1))
    throw new ConfigError(`lossScaler: expected a growthInterval of 1 or more steps, got ${growthInterval}.`);
  return {
    initial: { scale: initScale, goodSteps: 0, skippedSteps: 0 },
    minScale,
    next({ scale, goodSteps, skippedSteps }, outcome) {
      if (!outcome.finite)
        return {
          scale: Math.max(minScale, Math.min(scale, outcome.scale * backoffFactor)),
          goodSteps: 0,
          skippedSteps: skippedSteps + 1,
        };
      // A step with another scale gives no information about the current scale.
      if (outcome.scale !== scale) return { scale, goodSteps, skippedSteps };
      if (goodSteps + 1 < growthInterval) return { scale, goodSteps: goodSteps + 1, skippedSteps };
      return { scale: Math.min(maxScale, scale * growthFactor), goodSteps: 0, skippedSteps };
    },
  };
}
