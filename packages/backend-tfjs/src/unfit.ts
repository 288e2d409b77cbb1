/** Unfit: why a kind of TensorFlow.js cannot run here, and what would help. */
export class Unfit extends Error {
  /** A sentence. */
  readonly reason: string;
  /** A sentence or more. */
  readonly remedy: string;

  constructor(reason: string, remedy: string, options?: ErrorOptions) {
    super(`${reason} ${remedy}`, options);
    this.reason = reason;
    this.remedy = remedy;
  }
}
