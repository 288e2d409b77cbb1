/** The error for a number that is not finite, with the layer of the number. */
import { ClozeError } from "@cloze/errors";

export interface NumericFacts {
  readonly step: number;
  /** Layer path and op of the first node whose value is not finite, or undefined if none was found. */
  readonly layer: string | undefined;
  readonly op: string | undefined;
}

/**
 * Training stopped because a loss or a gradient became NaN or infinite. The parameters have their values from before
 * the failed step.
 */
export class NumericError extends ClozeError {
  readonly facts: NumericFacts;

  constructor(facts: NumericFacts, message: string) {
    super("user", "NumericError", message);
    this.facts = facts;
  }

  static override isInstance(error: unknown): error is NumericError {
    return ClozeError.isInstance(error) && error.code === "NumericError";
  }
}
