/**
 * The files of one part: shards as large as the format allows, and a file `….max` beside them. `….max` holds a number
 * for each document that was offered to the writer: twice the most tokens that the document could have had, plus one if
 * the document was kept. The place where a shard ends depends on these numbers, so that joining can repeat it.
 */
import { FormatError } from "@cloze/errors";
import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Tokens } from "../rows/dataset.ts";
import { HEADER_BYTES, MAX_SHARD_TOKENS } from "./shard-header.ts";
import type { ShardCounts, ShardSplit, TokenDtype } from "./shard-index.ts";
import { ShardWriter } from "./shard-writer.ts";
import type { SplitName } from "../corpus/split.ts";
import { tokensOf, type TokenBuffer } from "./token-buffer.ts";

export interface PartIndex {
  readonly splits: Readonly<Record<SplitName, ShardSplit>>;
  readonly counts: ShardCounts;
}

export interface PartForm {
  readonly dtype: TokenDtype;
  readonly start: number | undefined;
  readonly end: number | undefined;
}

export interface PartWriterOptions extends PartForm {
  readonly folder: string;
  readonly part: number;
  readonly sentences: boolean;
}

const prefixOf = (part: number, split: SplitName): string => `part-${String(part).padStart(6, "0")}_${split}`;

/** The writers of a part's documents, one for each split. */
export class PartWriter {
  readonly train: SplitWriter;
  readonly valid: SplitWriter;
  readonly test: SplitWriter;

  constructor(options: PartWriterOptions) {
    this.train = new SplitWriter(options, "train");
    this.valid = new SplitWriter(options, "valid");
    this.test = new SplitWriter(options, "test");
  }

  finish(): Readonly<Record<SplitName, ShardSplit>> {
    return { train: this.train.finish(), valid: this.valid.finish(), test: this.test.finish() };
  }

  abandon(): void {
    for (const split of [this.train, this.valid, this.test]) split.abandon();
  }
}

class SplitWriter {
  readonly #shards: ShardWriter;
  readonly #offers: number;
  readonly #buffer: Uint32Array = new Uint32Array(1 << 14);
  #at = 0;

  constructor({ folder, part, sentences, ...form }: PartWriterOptions, split: SplitName) {
    this.#shards = new ShardWriter({
      out: folder,
      prefix: prefixOf(part, split),
      ...form,
      sentences,
      tokensPerShard: MAX_SHARD_TOKENS,
    });
    this.#offers = openSync(join(folder, `${prefixOf(part, split)}.max`), "w");
  }

  add(longest: number, append: (into: TokenBuffer) => void, sentences: readonly number[] = []): number {
    const added = this.#shards.add(longest, append, sentences);
    if (this.#at === this.#buffer.length) this.#drain();
    this.#buffer[this.#at++] = 2 * longest + (added > 0 ? 1 : 0);
    return added;
  }

  finish(): ShardSplit {
    this.#drain();
    fsyncSync(this.#offers);
    closeSync(this.#offers);
    return this.#shards.finish();
  }

  abandon(): void {
    closeSync(this.#offers);
    this.#shards.abandon();
  }

  #drain(): void {
    const bytes = new Uint8Array(this.#buffer.buffer, 0, 4 * this.#at);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#offers, bytes, at);
    this.#at = 0;
  }
}

/** Reads one split of a part, in order. */
export class PartReader {
  readonly #folder: string;
  readonly #prefix: string;
  readonly #form: PartForm;

  constructor(folder: string, part: number, split: SplitName, form: PartForm) {
    this.#folder = folder;
    this.#prefix = prefixOf(part, split);
    this.#form = form;
  }

  /** Offers every document to the writer `into`, as it was offered to the part's own writer. */
  copy({ shards }: ShardSplit, into: Pick<ShardWriter, "add">): void {
    const offers = new NumberFile(join(this.#folder, `${this.#prefix}.max`));
    const { start, end, dtype } = this.#form;
    const before = start === undefined ? 0 : 1;
    const frame = before + (end === undefined ? 0 : 1);
    const refused = (): void => {
      // documents that were offered and had no tokens left
      for (let offer = offers.peek(); offer !== undefined && offer % 2 === 0; offer = offers.peek())
        into.add(Math.floor((offers.next() as number) / 2), () => undefined);
    };
    for (const { file, lengths, documents, sentences } of shards) {
      const tokens = new TokenFile(join(this.#folder, file), dtype);
      const each = new NumberFile(join(this.#folder, lengths.file));
      const of = sentences === undefined ? undefined : new NumberFile(join(this.#folder, sentences.file));
      for (let document = 0; document < documents; document++) {
        refused();
        const offer = offers.next();
        const length = each.next();
        if (offer === undefined || length === undefined)
          throw new FormatError(
            join(this.#folder, file),
            `document ${document}`,
            "expected its length, got the end of the file. Remove the folder of parts and prepare it again.",
          );
        const held = tokens.next(length).subarray(before, length - frame + before);
        const counts: number[] = [];
        for (let left = held.length; of !== undefined && left > 0;) {
          const count = of.next() ?? left;
          counts.push(count);
          left -= count;
        }
        into.add((offer - 1) / 2, (buffer) => buffer.append(held), counts);
      }
      tokens.close();
      each.close();
      of?.close();
    }
    refused();
    offers.close();
  }
}

const READ_BYTES = 1 << 20;

/** Unsigned 32-bit numbers of a file, one after another. */
class NumberFile {
  readonly #descriptor: number;
  readonly #numbers: Uint32Array = new Uint32Array(1 << 14);
  #at = 0;
  #count = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, "r");
  }

  peek(): number | undefined {
    if (this.#at === this.#count) {
      this.#count = readSync(this.#descriptor, new Uint8Array(this.#numbers.buffer)) >>> 2;
      this.#at = 0;
    }
    return this.#at < this.#count ? this.#numbers[this.#at] : undefined;
  }

  next(): number | undefined {
    const number = this.peek();
    this.#at++;
    return number;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** The tokens of a shard, one document after another. The next document overwrites the tokens of this document. */
class TokenFile {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #dtype: TokenDtype;
  #tokens: Tokens;
  #from = 0;
  #until = 0;
  #place = HEADER_BYTES;

  constructor(path: string, dtype: TokenDtype) {
    this.#descriptor = openSync(path, "r");
    this.#path = path;
    this.#dtype = dtype;
    this.#tokens = tokensOf(dtype, READ_BYTES);
  }

  next(count: number): Tokens {
    if (this.#from + count > this.#until) this.#fill(count);
    this.#from += count;
    return this.#tokens.subarray(this.#from - count, this.#from);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #fill(count: number): void {
    const width = this.#tokens.BYTES_PER_ELEMENT;
    const rest = this.#tokens.subarray(this.#from, this.#until);
    if (count > this.#tokens.length) {
      const larger = tokensOf(this.#dtype, 2 * count);
      larger.set(rest);
      this.#tokens = larger;
    } else this.#tokens.copyWithin(0, this.#from, this.#until);
    this.#until = rest.length;
    this.#from = 0;
    const bytes = new Uint8Array(this.#tokens.buffer);
    for (let at = width * this.#until; at < width * count;) {
      const read = readSync(this.#descriptor, bytes, at, bytes.length - at, this.#place);
      if (read === 0)
        throw new FormatError(
          this.#path,
          `byte ${this.#place}`,
          "expected more tokens, got the end of the file. Remove the folder of parts and prepare it again.",
        );
      at += read;
      this.#place += read;
      this.#until = Math.floor(at / width);
    }
  }
}
