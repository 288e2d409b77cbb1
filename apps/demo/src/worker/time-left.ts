/**
 * The time to the end of a run, from the clock: the mean of the last steps as they came, with all that the page did
 * between them, and the last evaluation. Before the first evaluation, its time comes from its size in steps.
 */

/** Number of steps in the mean. */
const RECENT = 50;

export class TimeLeft {
  readonly #evaluationSteps: number;
  #recent: number[] = [];
  #evaluationSeconds: number | undefined;
  #lastMs: number | undefined;
  #isFirst = true;

  constructor(evaluationSteps: number) {
    this.#evaluationSteps = evaluationSteps;
  }

  /** The run begins, or goes on after a pause. The first step may compile, so it does not count. */
  started(nowMs: number): void {
    this.#lastMs = nowMs;
    this.#isFirst = true;
  }

  stepped(nowMs: number): void {
    if (this.#lastMs !== undefined && !this.#isFirst)
      this.#recent = [...this.#recent, (nowMs - this.#lastMs) / 1000].slice(-RECENT);
    this.#isFirst = false;
    this.#lastMs = nowMs;
  }

  evaluated(seconds: number, nowMs: number): void {
    this.#evaluationSeconds = seconds;
    this.#lastMs = nowMs;
  }

  /** Undefined before the second step. */
  seconds(steps: number, evaluations: number): number | undefined {
    if (steps === 0 && evaluations === 0) return 0;
    if (this.#recent.length === 0) return undefined;
    const step = this.#recent.reduce((a, b) => a + b, 0) / this.#recent.length;
    return steps * step + evaluations * (this.#evaluationSeconds ?? this.#evaluationSteps * step);
  }
}
