/** A data set in memory: one run of tokens and the offsets of the examples in it. */
import type { Dataset, DatasetHandle, Tokens } from "./dataset.ts";

export class MemoryDataset implements Dataset {
  readonly size: number;
  readonly handle: DatasetHandle;
  /** The header line of each example, if headers were kept. */
  readonly names: readonly string[] | undefined;
  readonly #tokens: Tokens;
  readonly #offsets: Float64Array;

  /** Example i is `tokens[offsets[i], offsets[i + 1])`. Tokens in shared memory reach worker threads without a copy. */
  constructor(tokens: Tokens, offsets: Float64Array, names?: readonly string[]) {
    this.size = offsets.length - 1;
    this.handle = { kind: "memory", tokens, offsets };
    this.names = names;
    this.#tokens = tokens;
    this.#offsets = offsets;
  }

  lengthOf(example: number): number {
    return (this.#offsets[example + 1] as number) - (this.#offsets[example] as number);
  }

  read(example: number): Tokens {
    return this.#tokens.subarray(this.#offsets[example], this.#offsets[example + 1]);
  }

  slice(example: number, from: number, until: number): Tokens {
    const start = this.#offsets[example] as number;
    return this.#tokens.subarray(start + from, start + until);
  }
}

/**
 * A data set of given token ids, without start and end tokens.
 *
 * @example
 * memoryDataset([[5, 6, 7], [8]]).lengthOf(0)  // => 3
 */
export function memoryDataset(examples: readonly ArrayLike<number>[]): MemoryDataset {
  const offsets = new Float64Array(examples.length + 1);
  let largest = 0;
  for (const [i, example] of examples.entries()) {
    offsets[i + 1] = (offsets[i] as number) + example.length;
    for (let t = 0; t < example.length; t++) largest = Math.max(largest, example[t] as number);
  }
  const tokens = sharedTokens(largest, offsets.at(-1) as number);
  for (const [i, example] of examples.entries()) tokens.set(example, offsets[i]);
  return new MemoryDataset(tokens, offsets);
}

/** An array for `size` tokens up to `largest`, in memory that threads share if the platform allows it. */
export function sharedTokens(largest: number, size: number): Tokens {
  const width = largest < 256 ? 1 : largest < 65_536 ? 2 : 4;
  const buffer =
    typeof SharedArrayBuffer === "undefined" ? new ArrayBuffer(size * width) : new SharedArrayBuffer(size * width);
  if (width === 1) return new Uint8Array(buffer);
  return width === 2 ? new Uint16Array(buffer) : new Uint32Array(buffer);
}
