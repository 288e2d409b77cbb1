/**
 * The one lane to the device. What is submitted goes in the order in which it was called for; of runs, so many are
 * under way at once that the device has the next one when it is done with one, and no more.
 */
export class Lane {
  #tail: Promise<unknown> = Promise.resolve();
  readonly #flying = new Set<Promise<unknown>>();
  readonly #depth: number;

  constructor(depth: number) {
    this.#depth = depth;
  }

  /** True when nothing was submitted that has not come back. */
  get idle(): boolean {
    return this.#flying.size === 0;
  }

  /** Runs `work` when everything called for before it was submitted. */
  next<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  /** The same for work whose result comes later: `submit` has its turn, the next has it before `result` is there. */
  async fly<T>(submit: () => Promise<{ readonly result: Promise<T> }>): Promise<T> {
    const { result } = await this.next(async () => {
      while (this.#flying.size >= this.#depth) await Promise.race(this.#flying);
      const sent = await submit();
      const landed = sent.result
        .then(
          () => undefined,
          () => undefined,
        )
        .finally(() => this.#flying.delete(landed));
      this.#flying.add(landed);
      return sent;
    });
    return result;
  }
}
