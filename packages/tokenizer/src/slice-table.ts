/**
 * A hash table from slices of texts to numbers 0, 1, 2, … It makes no strings.
 *
 * The caller hashes a word while it reads the word (`hash = imul(hash ^ unit, PRIME)`, from SEED on). It then asks the
 * table with the text, the place and the hash. The table keeps words as UTF-16 units in one array. Price: 2 bytes per
 * unit and about 28 per word.
 */
export const HASH_SEED = 0x2f0b4c47;
export const HASH_PRIME = 0x01000193;
const BLOCK = 4096;

export class SliceTable {
  /** Number of distinct slices. */
  size = 0;
  #slots: Int32Array = new Int32Array(1 << 12).fill(-1);
  #mask = (1 << 12) - 1;
  #hashes: Int32Array = new Int32Array(1 << 11);
  /** Entry i is units [starts[i], starts[i + 1]). */
  #starts: Int32Array = new Int32Array((1 << 11) + 1);
  #units: Uint16Array = new Uint16Array(1 << 14);

  /** Number of UTF-16 units in the table, for limits on memory. */
  get units(): number {
    return this.#starts[this.size] as number;
  }

  /** The number of the slice `text[start, end)`, or -1. */
  find(text: string, start: number, end: number, hash: number): number {
    const length = end - start;
    for (let slot = (hash ^ (hash >>> 15)) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = this.#slots[slot] as number;
      if (entry === -1) return -1;
      const at = this.#starts[entry] as number;
      if (this.#hashes[entry] !== hash || (this.#starts[entry + 1] as number) - at !== length) continue;
      let i = 0;
      while (i < length && this.#units[at + i] === text.charCodeAt(start + i)) i++;
      if (i === length) return entry;
    }
  }

  /** Adds a slice that `find` did not find, and returns its number. */
  add(text: string, start: number, end: number, hash: number): number {
    const entry = this.size;
    const at = this.units;
    const length = end - start;
    if (entry + 1 >= this.#starts.length) this.#growEntries();
    if (at + length > this.#units.length)
      this.#units = grown(this.#units, new Uint16Array(Math.max(2 * this.#units.length, at + length)));
    for (let i = 0; i < length; i++) this.#units[at + i] = text.charCodeAt(start + i);
    this.#hashes[entry] = hash;
    this.#starts[entry + 1] = at + length;
    this.size = entry + 1;
    if (2 * this.size > this.#slots.length) this.#growSlots();
    else this.#place(entry, hash);
    return entry;
  }

  /** The slice with a number, as a string. */
  at(entry: number): string {
    const at = this.#starts[entry] as number;
    return textOfUnits(this.#units, at, (this.#starts[entry + 1] as number) - at);
  }

  /** All slices in the order of their numbers, one after another. */
  contents(): { readonly units: Uint16Array; readonly lengths: Int32Array } {
    const lengths = new Int32Array(this.size);
    for (let entry = 0; entry < this.size; entry++)
      lengths[entry] = (this.#starts[entry + 1] as number) - (this.#starts[entry] as number);
    return { units: this.#units.slice(0, this.units), lengths };
  }

  #place(entry: number, hash: number): void {
    let slot = (hash ^ (hash >>> 15)) & this.#mask;
    while (this.#slots[slot] !== -1) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = entry;
  }

  #growSlots(): void {
    this.#slots = new Int32Array(2 * this.#slots.length).fill(-1);
    this.#mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.size; entry++) this.#place(entry, this.#hashes[entry] as number);
  }

  #growEntries(): void {
    this.#hashes = grown(this.#hashes, new Int32Array(2 * this.#hashes.length));
    this.#starts = grown(this.#starts, new Int32Array(this.#hashes.length + 1));
  }
}

/** UTF-16 units as a string, also with lone surrogates. Works in blocks, because a call has limited arguments. */
export function textOfUnits(units: Uint16Array, start: number, length: number): string {
  if (length <= BLOCK) return String.fromCharCode(...units.subarray(start, start + length));
  const parts: string[] = [];
  for (let i = 0; i < length; i += BLOCK)
    parts.push(String.fromCharCode(...units.subarray(start + i, start + Math.min(i + BLOCK, length))));
  return parts.join("");
}

function grown<A extends Int32Array | Uint16Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
