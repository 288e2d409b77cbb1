/**
 * A filter of documents: by length, and by text if duplicates are dropped. It counts the dropped documents by reason.
 */
import { ConfigError } from "@cloze/errors";
import { contentHash } from "./content-hash.ts";
import { HashSet } from "./hash-set.ts";

export interface FilterOptions {
  /** Of documents with the same text, keep only the first. Default false. */
  readonly dedup?: boolean;
  /** Fewest and most characters of a document. */
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Fewest and most tokens of a document, without start and end tokens. */
  readonly minTokens?: number;
  readonly maxTokens?: number;
}

export interface FilterCounts {
  readonly duplicates: number;
  readonly tooShort: number;
  readonly tooLong: number;
}

export class DocumentFilter {
  readonly #options: FilterOptions;
  readonly #seen: HashSet | undefined;
  readonly #counts = { duplicates: 0, tooShort: 0, tooLong: 0 };

  constructor(options: FilterOptions = {}) {
    for (const [least, most, what] of [
      [options.minLength, options.maxLength, "Length"],
      [options.minTokens, options.maxTokens, "Tokens"],
    ] as const) {
      for (const value of [least, most])
        if (value !== undefined && !(value >= 0))
          throw new ConfigError(`filter: expected min${what} and max${what} to be 0 or more, got ${value}.`);
      if (least !== undefined && most !== undefined && least > most)
        throw new ConfigError(`filter: expected min${what} to be at most max${what}, got ${least} and ${most}.`);
    }
    this.#options = options;
    this.#seen = options.dedup === true ? new HashSet() : undefined;
  }

  get counts(): FilterCounts {
    return { ...this.#counts };
  }

  /**
   * Whether the text is kept. The length is checked first, so that no document is a duplicate of a document that was
   * dropped for its length.
   */
  keepsText(characters: number, bytes: Uint8Array): boolean {
    const { minLength = 0, maxLength = Infinity } = this.#options;
    if (!this.#within(characters, minLength, maxLength)) return false;
    if (this.#seen === undefined || this.#seen.add(contentHash(bytes, 0, 0, bytes.length, false))) return true;
    this.#counts.duplicates++;
    return false;
  }

  keepsTokens(tokens: number): boolean {
    const { minTokens = 0, maxTokens = Infinity } = this.#options;
    return this.#within(tokens, minTokens, maxTokens);
  }

  #within(value: number, least: number, most: number): boolean {
    if (value < least) this.#counts.tooShort++;
    else if (value > most) this.#counts.tooLong++;
    else return true;
    return false;
  }
}
