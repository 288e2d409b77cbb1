/**
 * The loss scales of the steps to come. A step is called before the outcome of the one before is known, so the scale of
 * step n is decided by the outcomes up to step n - 2. It is so too where more is known, after an evaluation or a
 * resume: scales are a function of the step numbers alone, and a run that was resumed takes the same ones as a run that
 * was not.
 */
import type { LossScale, LossScaler } from "@cloze/optim";

/** Scales that are decided ahead: of the next step and of the one after it. */
const AHEAD = 2;

export class LateLossScale {
  readonly #scaler: LossScaler;
  /** Of steps that are not called yet, in order. */
  readonly #decided: LossScale[];
  #latest: LossScale;

  /** `saved`: what a checkpoint kept; without it, the first steps have the initial scale. */
  constructor(scaler: LossScaler, saved?: readonly LossScale[]) {
    this.#scaler = scaler;
    this.#decided = saved === undefined ? new Array<LossScale>(AHEAD).fill(scaler.initial) : [...saved];
    this.#latest = this.#decided.at(-1) ?? scaler.initial;
  }

  /** The scale of the next step that is called. */
  take(): LossScale {
    const next = this.#decided.shift();
    if (next === undefined)
      throw new RangeError(`the loss scale of a step is decided when the step ${AHEAD} before it is done`);
    return next;
  }

  /** What the oldest step that was called has come to. */
  settle({ scale }: LossScale, finite: boolean): void {
    this.#latest = this.#scaler.next(this.#latest, { scale, finite });
    this.#decided.push(this.#latest);
  }

  /** True of a scale below which there is none: an overflow with it is an error of the run. */
  isSmallest({ scale }: LossScale): boolean {
    return scale <= this.#scaler.minScale;
  }

  /** What a checkpoint keeps, when nothing is under way. */
  get saved(): readonly LossScale[] {
    return [...this.#decided];
  }
}
