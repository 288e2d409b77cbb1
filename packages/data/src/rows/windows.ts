/**
 * Windows of long documents: consecutive examples, so that an epoch holds every token exactly once.
 *
 * A document of n tokens becomes K = ceil(n / length) examples: K - 1 examples of `length` tokens, and a short one with
 * the rest. The lengths never change, so that batches can be planned. The places of the windows change: in each epoch
 * the short window stands at a place drawn for (seed, epoch, document). The windows before the short one begin at
 * multiples of `length`. The windows after the short one begin at multiples of `length` plus the length of the short
 * one. So a token at the edge of a window in one epoch is inside a window in another epoch.
 *
 * Price: four bytes a document. A read is a binary search and a slice.
 */
import { ConfigError } from "@cloze/errors";
import { RandomStream } from "@cloze/random";
import type { Dataset, DatasetHandle, Tokens } from "./dataset.ts";

export interface WindowOptions {
  /** Most tokens of an example, without start and end tokens. */
  readonly length: number;
  readonly seed: number;
}

/**
 * @example
 * const windows = windowed(memoryDataset([[1, 2, 3, 4, 5], [6]]), { length: 2, seed: 0 });
 * [0, 1, 2, 3].map((i) => windows.lengthOf(i))  // => [2, 2, 1, 1]
 */
export function windowed(dataset: Dataset, options: WindowOptions): Dataset {
  const { length, seed } = options;
  if (!Number.isInteger(length) || length < 1)
    throw new ConfigError(`windowed: expected length to be a positive integer, got ${length}.`);
  if (dataset.places !== undefined)
    throw new ConfigError(
      "windowed: expected examples that every epoch shows, got a data set that is sampled by clusters. Let long " +
        "ones be cropped, or prepare it without clusters.",
    );
  const starts = new Uint32Array(dataset.size + 1);
  let size = 0;
  for (let i = 0; i < dataset.size; i++) {
    size += Math.ceil(dataset.lengthOf(i) / length);
    starts[i + 1] = size;
  }
  if (size >= 2 ** 32)
    throw new ConfigError(`windowed: expected fewer than 2^32 windows, got ${size}. Choose a greater length.`);
  const stream = new RandomStream(seed).split("windows");
  const documentOf = (example: number): number => {
    if (!Number.isInteger(example) || example < 0 || example >= size)
      throw new ConfigError(`read: expected an example from 0 to ${size - 1}, got ${example}.`);
    let low = 0;
    let high = dataset.size;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= example) low = middle;
      else high = middle;
    }
    return low;
  };
  const countOf = (document: number): number => (starts[document + 1] as number) - (starts[document] as number);
  const handle: DatasetHandle | undefined =
    dataset.handle === undefined ? undefined : { kind: "windows", of: dataset.handle, length, seed };

  return {
    size,
    lengthOf(example) {
      const document = documentOf(example);
      const last = countOf(document) - 1;
      return example - (starts[document] as number) < last ? length : dataset.lengthOf(document) - last * length;
    },
    read(example, epoch = 0) {
      const document = documentOf(example);
      const count = countOf(document);
      if (count === 1) return dataset.read(document, epoch);
      const k = example - (starts[document] as number);
      const total = dataset.lengthOf(document);
      const rest = total - (count - 1) * length;
      const short = stream.split(epoch).below(count, document);
      const from = k === count - 1 ? short * length : k * length + (k < short ? 0 : rest);
      const until = from + (k === count - 1 ? rest : length);
      if (dataset.slice !== undefined) return dataset.slice(document, from, until);
      const whole = dataset.read(document, epoch);
      const cut = (tokens: Tokens): Tokens => tokens.subarray(from, until);
      return whole instanceof Promise ? whole.then(cut) : cut(whole);
    },
    ...(handle === undefined ? {} : { handle }),
  };
}
