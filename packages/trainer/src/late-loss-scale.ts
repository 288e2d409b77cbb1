/**
 * The loss scales of the next steps.
 *
 * The loop calls a step before it knows the outcome of the previous step. So the outcomes up to step n - 2 decide the
 * scale of step n. This rule also holds after an evaluation or a resume, where the loop already knows the outcome of
 * step n - 1. Scales therefore depend on the step numbers alone, and a resumed run uses the same scales as a run
 * without interruption.
 */
import type { LossScale, LossScaler } from "@cloze/optim";

/** Number of scales that are decided in advance: for the next step and for the step after it. */
const AHEAD = 2;

export class LateLossScale {
  readonly #scaler: LossScaler;
  /** Scales of steps that are not called yet, in order. */
  readonly #decided: LossScale[];
  #latest: LossScale;

  /** `saved`: the scales from a checkpoint. Without it, the first steps have the initial scale. */
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

  /** Records the outcome of the oldest step that was called. */
  settle({ scale }: LossScale, finite: boolean): void {
    this.#latest = this.#scaler.next(this.#latest, { scale, finite });
    this.#decided.push(this.#latest);
  }

  /** True for the smallest scale that is allowed. An overflow with this scale is an error of the run. */
  isSmallest({ scale }: LossScale): boolean {
    return scale <= this.#scaler.minScale;
  }

  /** The scales for a checkpoint. Valid while no step is in flight. */
  get saved(): readonly LossScale[] {
    return [...this.#decided];
  }
}
