/**
 * Exact quantiles of lengths: a count for each length that occurs. Memory does not grow with the number of lengths
 * added.
 */

/** Quantiles by linear interpolation between neighbours, as in numpy's default. */
export interface LengthSummary {
  readonly min: number;
  readonly p05: number;
  readonly p25: number;
  readonly median: number;
  readonly p75: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
}

const DENSE = 1 << 16;

export class LengthCounts {
  readonly #dense: Float64Array = new Float64Array(DENSE);
  readonly #long = new Map<number, number>();
  #count = 0;
  #sum = 0;

  add(length: number): void {
    if (length < DENSE) this.#dense[length] = (this.#dense[length] as number) + 1;
    else this.#long.set(length, (this.#long.get(length) ?? 0) + 1);
    this.#count++;
    this.#sum += length;
  }

  /** All zero when nothing was added. */
  summary(): LengthSummary {
    const all: (readonly [length: number, count: number])[] = [];
    this.#dense.forEach((count, length) => {
      if (count > 0) all.push([length, count]);
    });
    all.push(...[...this.#long].toSorted((a, b) => a[0] - b[0]));
    const atRank = (rank: number): number => {
      let before = 0;
      for (const [length, count] of all) if (rank < (before += count)) return length;
      return all.at(-1)?.[0] ?? 0;
    };
    const quantile = (q: number): number => {
      const rank = q * Math.max(0, this.#count - 1);
      const low = Math.floor(rank);
      const value = atRank(low);
      return value + (rank - low) * (atRank(Math.ceil(rank)) - value);
    };
    return {
      min: quantile(0),
      p05: quantile(0.05),
      p25: quantile(0.25),
      median: quantile(0.5),
      p75: quantile(0.75),
      p95: quantile(0.95),
      p99: quantile(0.99),
      max: quantile(1),
      mean: this.#count === 0 ? 0 : this.#sum / this.#count,
    };
  }
}
