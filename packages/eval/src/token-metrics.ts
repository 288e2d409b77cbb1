/**
 * The metrics of masked-token prediction, accumulated batch by batch.
 *
 * Every figure is weighted by token: the loss is (sum of losses) / (sum of weights) over the whole evaluation, never a
 * mean of batch means. So the batch size, padding and the number of ranks do not change the loss. Memory is 3 counts
 * per class. Left out on purpose: top-k accuracy and calibration, which need the logits.
 */
import { ConfigError } from "@cloze/errors";
import { classScores, type ClassScores } from "./class-scores.ts";

export interface TokenMetricsResult extends ClassScores {
  /** Nats per token. */
  readonly loss: number;
  /** e^loss: the number of equally likely answers that would be as hard to guess. */
  readonly perplexity: number;
  /** Number of labelled tokens. */
  readonly tokens: number;
}

/**
 * A streaming accumulator over the predicted positions of many batches.
 *
 * @example
 * const metrics = new TokenMetrics(4);
 * metrics.add([0, 1, 2], [0, 1, 1], 1.5, 3);
 * metrics.result().accuracy  // => 0.6666666666666666
 */
export class TokenMetrics {
  readonly classes: number;
  #lossSum = 0;
  #weight = 0;
  readonly #hits: Float64Array;
  readonly #predicted: Float64Array;
  readonly #present: Float64Array;

  constructor(classes: number) {
    if (!Number.isSafeInteger(classes) || classes < 1) {
      throw new ConfigError(
        `TokenMetrics: expected a whole number of classes >= 1, got ${classes}. Pass the vocabulary size.`,
      );
    }
    this.classes = classes;
    this.#hits = new Float64Array(classes);
    this.#predicted = new Float64Array(classes);
    this.#present = new Float64Array(classes);
  }

  /**
   * Adds one batch.
   *
   * Shapes: targets and predictions `[tokens]`, class ids. A negative target (such as -100) is a position without a
   * label; the position is skipped.
   * `lossSum`: the summed loss of the batch in nats. `weight`: the sum of the weights of the batch, which is the number
   * of labelled tokens unless the objective has other weights. A NaN loss is kept: the result is then NaN.
   * Throws: ConfigError on different lengths or an id outside `[0, classes)`. A batch that throws is not counted at
   * all.
   */
  add(targets: ArrayLike<number>, predictions: ArrayLike<number>, lossSum: number, weight: number): void {
    if (targets.length !== predictions.length) {
      throw new ConfigError(
        `TokenMetrics.add: expected as many predictions as targets (${targets.length}), got ` +
          `${predictions.length}. Pass one predicted class per target.`,
      );
    }
    if (!(weight >= 0 && weight < Infinity))
      throw new ConfigError(
        `TokenMetrics.add: expected a finite weight >= 0, got ${weight}. Pass the sum of the token weights.`,
      );
    for (let i = 0; i < targets.length; i++) {
      if (targets[i]! < 0) continue;
      this.#check("target", targets[i]!, i);
      this.#check("prediction", predictions[i]!, i);
    }
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i]!;
      const prediction = predictions[i]!;
      if (target < 0) continue;
      this.#present[target]! += 1;
      this.#predicted[prediction]! += 1;
      if (target === prediction) this.#hits[target]! += 1;
    }
    this.#lossSum += lossSum;
    this.#weight += weight;
  }

  /**
   * The metrics of all batches. Throws ConfigError if no labelled token or no weight was added, because no correct
   * figure exists then.
   */
  result(): TokenMetricsResult {
    let tokens = 0;
    for (const count of this.#present) tokens += count;
    if (tokens === 0 || this.#weight === 0) {
      throw new ConfigError(
        `TokenMetrics.result: expected at least one labelled token of weight above 0, got ${tokens} tokens of ` +
          `weight ${this.#weight}. Evaluate on more data or mask more of it.`,
      );
    }
    const loss = this.#lossSum / this.#weight;
    const scores = classScores({ hits: this.#hits, predicted: this.#predicted, present: this.#present });
    return { loss, perplexity: Math.exp(loss), tokens, ...scores };
  }

  /**
   * The accumulated sums as `[2 + 3 * classes]` numbers: loss sum, weight, then hits, predicted and present per class.
   * The vectors of several ranks can be added (an all-reduce) and passed to `fromVector`.
   */
  toVector(): Float64Array {
    const vector = new Float64Array(2 + 3 * this.classes);
    vector.set([this.#lossSum, this.#weight]);
    [this.#hits, this.#predicted, this.#present].forEach((counts, i) => vector.set(counts, 2 + i * this.classes));
    return vector;
  }

  static fromVector(vector: ArrayLike<number>): TokenMetrics {
    const classes = (vector.length - 2) / 3;
    if (!Number.isInteger(classes) || classes < 1) {
      throw new ConfigError(
        `TokenMetrics.fromVector: expected 2 + 3 * classes numbers, got ${vector.length}. Pass what toVector returned.`,
      );
    }
    const made = new TokenMetrics(classes);
    made.#lossSum = vector[0]!;
    made.#weight = vector[1]!;
    [made.#hits, made.#predicted, made.#present].forEach((counts, i) => {
      for (let k = 0; k < classes; k++) counts[k] = vector[2 + i * classes + k]!;
    });
    return made;
  }

  #check(what: string, id: number, at: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.classes) return;
    throw new ConfigError(
      `TokenMetrics.add: expected every ${what} in [0, ${this.classes}), got ${id} at position ${at}. Is the ` +
        "vocabulary size right?",
    );
  }
}
