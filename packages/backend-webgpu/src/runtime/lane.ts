/**
 * The lane to the device, one for each backend. Work is submitted in the order of the calls. At most `depth` runs are
 * in flight at once, so that the device has its next run when one ends.
 */
export class Lane {
  #tail: Promise<unknown> = Promise.resolve();
  readonly #flying = new Set<Promise<unknown>>();
  readonly #depth: number;

  constructor(depth: number) {
    this.#depth = depth;
  }

  /** True when no run is in flight. */
  get idle(): boolean {
    return this.#flying.size === 0;
  }

  /** Runs `work` after all earlier calls have submitted their work. */
  next<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  /** Runs `submit` in its turn. The next call's turn comes after `submit` resolves, even before `result` resolves. */
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
