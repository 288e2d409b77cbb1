/**
 * The counter of words in texts. It splits texts as the encoder does. Memory grows only with the number of distinct
 * words.
 */
import { CountTable, hashOf, type WordCounts } from "@cloze/tokenizer/internal";
import { splitWords } from "./split-words.ts";

/** The settings of a tokenizer that decide its words. */
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

  /** Number of distinct words so far. Memory grows with it. */
  get size(): number {
    return this.#counts.size;
  }

  /**
   * Counts the words of one text. Texts are separate: the first word of a text has a space before it only where the
   * text or `addPrefixSpace` puts one there.
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
