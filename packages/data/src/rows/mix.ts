/**
 * A mixture: several data sets as one, in given proportions.
 *
 * An epoch of the mixture lasts until every part has been seen whole. Of N examples, part j gives n_j = p_j N, at least
 * all that the part has; beyond that, examples repeat. Examples are numbered part by part. A repeated example has a
 * number of its own, so that its masks and crops differ.
 *
 * Training takes the examples in the order of `orderOf`. Every window of about a thousand examples holds the parts in
 * their proportions, exactly except for rounding. The order is shuffled inside a window, and in each pass through a
 * part. Every place is a function of (seed, epoch, place), so that a run resumes at any number.
 *
 * Price: a look-up is one step for each part. Nothing is stored for an example.
 */
import { ConfigError } from "@cloze/errors";
import { RandomStream } from "@cloze/random";
import type { Dataset, DatasetHandle, Tokens } from "./dataset.ts";
import { permutation, type Order } from "./shuffle.ts";

export interface MixPart {
  readonly dataset: Dataset;
  /** Share of the mixture, relative to the other parts' weights. */
  readonly weight: number;
}

export interface MixOptions {
  /**
   * What the weights are shares of: "examples" (default) or "tokens". With "tokens", a part with long examples gives
   * fewer examples.
   */
  readonly by?: "examples" | "tokens";
}

export interface MixedDataset extends Dataset {
  /** For each part: the number of its examples in an epoch of the mixture, repeats included. */
  readonly counts: readonly number[];
  orderOf(key: { readonly seed: number; readonly epoch: number }): Order;
}

/** The number of examples between two points at which the proportions hold. */
const WINDOW = 1024;

/**
 * @example
 * const mixed = mix([
 *   { dataset: memoryDataset([[1], [2], [3]]), weight: 0.75 },
 *   { dataset: memoryDataset([[9]]), weight: 0.25 },
 * ]);
 * [mixed.size, mixed.counts]  // => [4, [3, 1]]
 */
export function mix(parts: readonly MixPart[], options: MixOptions = {}): MixedDataset {
  const by = options.by ?? "examples";
  const counts = mixCounts(parts, by);
  const size = counts.reduce((n, count) => n + count, 0);
  const bases: number[] = [];
  counts.reduce((base, count) => (bases.push(base), base + count), 0);
  const handles = parts.map(({ dataset, weight }) =>
    dataset.handle === undefined ? undefined : { of: dataset.handle, weight },
  );
  const handle: DatasetHandle | undefined = handles.every((each) => each !== undefined)
    ? { kind: "mix", parts: handles, by }
    : undefined;
  // The examples of an unfinished last pass are drawn, once for all epochs, so that they are not the beginning of a
  // file.
  const extras = parts.map(({ dataset }, j) =>
    permutation(new RandomStream(0).split("mix-extra").split(j), dataset.size),
  );

  const locate = (
    example: number,
  ): { readonly dataset: Dataset; readonly inner: number; readonly pass: number; readonly passes: number } => {
    if (!Number.isInteger(example) || example < 0 || example >= size)
      throw new ConfigError(`read: expected an example from 0 to ${size - 1}, got ${example}.`);
    let j = parts.length - 1;
    while (example < (bases[j] as number)) j--;
    const { dataset } = parts[j] as MixPart;
    const number = example - (bases[j] as number);
    const pass = Math.floor(number / dataset.size);
    const place = number - pass * dataset.size;
    const whole = (pass + 1) * dataset.size <= (counts[j] as number);
    return {
      dataset,
      inner: whole ? place : (extras[j] as Order)(place),
      pass,
      passes: Math.ceil((counts[j] as number) / dataset.size),
    };
  };

  return {
    size,
    counts,
    lengthOf(example) {
      const { dataset, inner } = locate(example);
      return dataset.lengthOf(inner);
    },
    read(example, epoch = 0): Tokens | Promise<Tokens> {
      const { dataset, inner, pass, passes } = locate(example);
      return dataset.read(inner, epoch * passes + pass);
    },
    orderOf: ({ seed, epoch }) =>
      mixedOrder(
        { counts, sizes: parts.map(({ dataset }) => dataset.size), bases },
        new RandomStream(seed).split("mix").split(epoch),
      ),
    ...(handle === undefined ? {} : { handle }),
  };
}

/**
 * The number of examples of each part in an epoch of the mixture: in proportion, and at least all that the part has.
 */
export function mixCounts(
  parts: readonly { readonly dataset: Pick<Dataset, "size" | "lengthOf" | "places">; readonly weight: number }[],
  by: "examples" | "tokens",
): readonly number[] {
  if (parts.length === 0) throw new ConfigError("mix: expected at least one part, got none.");
  const rates = parts.map(({ dataset, weight }, j) => {
    if (!(weight > 0 && weight < Infinity))
      throw new ConfigError(`mix: expected the weight of part ${j + 1} to be a number above 0, got ${weight}.`);
    if (dataset.places !== undefined)
      throw new ConfigError(
        `mix: expected examples that every epoch shows in part ${j + 1}, got a data set that is sampled by ` +
          "clusters. Train on it alone, or prepare it without clusters.",
      );
    if (dataset.size === 0) throw new ConfigError(`mix: expected examples in part ${j + 1}, got none. Leave it out.`);
    if (by === "examples") return weight;
    let tokens = 0;
    for (let i = 0; i < dataset.size; i++) tokens += dataset.lengthOf(i);
    return (weight * dataset.size) / tokens;
  });
  const sum = rates.reduce((n, rate) => n + rate, 0);
  const total = parts.reduce((most, { dataset }, j) => Math.max(most, (dataset.size * sum) / (rates[j] as number)), 0);
  if (!(total < 2 ** 31))
    throw new ConfigError(
      `mix: an epoch that shows every part whole would take ${total.toExponential(1)} examples. Make the weights ` +
        "less uneven, or take fewer examples of the largest part.",
    );
  return parts.map(({ dataset }, j) => Math.max(dataset.size, Math.round((total * (rates[j] as number)) / sum)));
}

interface Numbering {
  readonly counts: readonly number[];
  readonly sizes: readonly number[];
  readonly bases: readonly number[];
}

/**
 * The example at place x of the epoch. The first x places hold round(S_j x / N) examples of the parts up to j, where
 * S_j is the sum of the counts of these parts. So at every border between windows the count of each part is within one
 * of its share, and a border is found without the borders before it.
 */
function mixedOrder({ counts, sizes, bases }: Numbering, stream: RandomStream): Order {
  const size = counts.reduce((n, count) => n + count, 0);
  const sums: number[] = [];
  counts.reduce((n, count) => (sums.push(n + count), n + count), 0);
  // Each window has at least four places for the rarest part, so that rounding cannot leave the part out.
  const windows = Math.max(1, Math.floor(size / Math.max(WINDOW, Math.ceil((4 * size) / Math.min(...counts)))));
  const borderOf = (window: number): number => Math.floor((window * size) / windows);
  const before = (j: number, x: number): number => (j < 0 ? 0 : Math.round(((sums[j] as number) / size) * x));
  const passes = counts.map((_, j) =>
    passOrder(stream.split("pass").split(j), sizes[j] as number, counts[j] as number),
  );
  let window = -1;
  let from = 0;
  let until = 0;
  let slotOf: Order = (place) => place;
  return (place) => {
    if (place < from || place >= until) {
      window = Math.min(windows - 1, Math.floor((place / size) * windows));
      while (borderOf(window) > place) window--;
      while (borderOf(window + 1) <= place) window++;
      from = borderOf(window);
      until = borderOf(window + 1);
      slotOf = permutation(stream.split("window").split(window), until - from);
    }
    const slot = slotOf(place - from);
    let j = 0;
    while (slot >= before(j, until) - before(j, from)) j++;
    const first = before(j - 1, until) - before(j - 1, from);
    const rank = before(j, from) - before(j - 1, from) + slot - first;
    return (bases[j] as number) + (passes[j] as Order)(rank);
  };
}

/**
 * The order of consecutive passes through a part. Each pass has an order of its own; the last pass may be unfinished.
 */
function passOrder(stream: RandomStream, size: number, count: number): Order {
  let pass = -1;
  let order: Order = (place) => place;
  return (rank) => {
    const wanted = Math.floor(rank / size);
    if (wanted !== pass) {
      pass = wanted;
      order = permutation(stream.split(pass), Math.min(size, count - pass * size));
    }
    return pass * size + order(rank - pass * size);
  };
}
