/**
 * How often each word occurs in texts, cut as the encoder cuts them: memory grows with the distinct words and with
 * nothing else.
 */
import { CountTable, hashOf, type WordCounts } from "@cloze/tokenizer/internal";
import { splitWords } from "./split-words.ts";

/** The settings of a tokenizer that decide what its words are. */
export interface WordOptions {
  /** Default "nfc". */
  readonly normalizer?: "nfc" | "none";
  /** Default false. */
  readonly addPrefixSpace?: boolean;
}

/**
 * @example
 * const counter = new WordCounter();
 * counter.add("a cat, a dog");
 * counter.words().size   // => 5: "a", " cat", ",", " a", " dog"
 */
export class WordCounter {
  readonly #counts: CountTable = new CountTable();
  readonly #nfc: boolean;
  readonly #prefix: boolean;

  constructor({ normalizer = "nfc", addPrefixSpace = false }: WordOptions = {}) {
    this.#nfc = normalizer === "nfc";
    this.#prefix = addPrefixSpace;
  }

  /** Distinct words so far: what memory goes by. */
  get size(): number {
    return this.#counts.size;
  }

  /**
   * Counts the words of one text. Texts are apart: the first word of each has no space before it unless it is written,
   * or set by `addPrefixSpace`.
   */
  add(text: string): void {
    const composed = this.#nfc ? text.normalize("NFC") : text;
    for (const word of splitWords(
      this.#prefix && composed !== "" && !composed.startsWith(" ") ? ` ${composed}` : composed,
    ))
      this.#counts.add(word, 0, word.length, hashOf(word), 1);
  }

  words(): WordCounts {
    return this.#counts;
  }
}
