/**
 * The counter of words in texts of any size. Memory grows only with the number of distinct words.
 *
 * It cuts texts as the encoder does, and counts stretches as written. At the end, each distinct stretch is normalized
 * once. So counting is as fast as the scanner, and threads can count separately and add their counts (`parts`,
 * `addParts`).
 */
import { CountTable, HASH_PRIME, HASH_SEED, hashOf, textOfUnits, type WordCounts } from "@cloze/tokenizer/internal";
import { codePoints, type CodePoints } from "./code-points.ts";
import { normalize, type NormalizerOptions } from "./normalize.ts";
import { SINGLE, SPACE, unitClasses } from "./unit-classes.ts";
import { forEachWord } from "./word-pieces.ts";

/** The settings of a tokenizer that decide its words. */
export interface WordOptions {
  /** Default true. */
  readonly lowercase?: boolean;
  /** Default: as `lowercase`. */
  readonly stripAccents?: boolean;
  /** Default true. */
  readonly chineseCharacters?: boolean;
}

/** The counts of one thread: distinct stretches as written, one after another, with their counts. */
export interface CountParts {
  readonly units: Uint16Array;
  readonly lengths: Int32Array;
  readonly counts: Float64Array;
  /** [65536] Counts of units that are words by themselves. */
  readonly singles: Float64Array;
  readonly replacements: number;
}

/**
 * @example
 * const counter = new WordCounter();
 * counter.add("The cat, the dog");
 * const counts = counter.words();   // the 2, cat 1, dog 1, "," 1
 */
export class WordCounter {
  /**
   * Number of replacement characters (U+FFFD) in the texts. A decoder writes them for bytes that are not UTF-8. They
   * belong to no word.
   */
  replacements = 0;
  readonly #points: CodePoints = codePoints();
  readonly #options: NormalizerOptions;
  readonly #classes: Uint8Array;
  readonly #stretches: CountTable = new CountTable();
  readonly #singles: Float64Array = new Float64Array(0x10000);

  constructor(options: WordOptions = {}) {
    const { lowercase = true, stripAccents = lowercase, chineseCharacters = true } = options;
    this.#options = { lowercase, stripAccents, chineseCharacters, cleanText: true };
    this.#classes = unitClasses(this.#points, this.#options);
  }

  /** Number of distinct stretches so far. Memory grows with it. */
  get size(): number {
    return this.#stretches.size;
  }

  /** Counts the words of a text. The text must end between words. */
  add(text: string): void {
    const classes = this.#classes;
    const end = text.length;
    for (let at = text.indexOf("\ufffd"); at >= 0; at = text.indexOf("\ufffd", at + 1)) this.replacements++;
    for (let i = 0; i < end;) {
      let unit = text.charCodeAt(i);
      const kind = classes[unit] as number;
      if (kind <= SINGLE) {
        if (kind !== SPACE) this.#singles[unit] = (this.#singles[unit] as number) + 1;
        i++;
        continue;
      }
      const from = i;
      let hash = HASH_SEED;
      do {
        hash = Math.imul(hash ^ unit, HASH_PRIME);
        i++;
      } while (i < end && (classes[(unit = text.charCodeAt(i))] as number) > SINGLE);
      this.#stretches.add(text, from, i, hash, 1);
    }
  }

  /** The normalized words of all texts so far, with their counts. */
  words(): WordCounts {
    const counts = new CountTable();
    for (let entry = 0; entry < this.#stretches.size; entry++)
      this.#addWords(this.#stretches.word(entry), this.#stretches.count(entry), counts);
    for (const [unit, times] of this.#singles.entries())
      if (times > 0) this.#addWords(String.fromCharCode(unit), times, counts);
    return counts;
  }

  /** A copy of all counts, for `addParts` of another counter. */
  parts(): CountParts {
    const { units, lengths } = this.#stretches.table.contents();
    const counts = Float64Array.from(lengths, (_, entry) => this.#stretches.count(entry));
    return { units, lengths, counts, singles: this.#singles.slice(), replacements: this.replacements };
  }

  /** Adds the counts of another counter with the same options. */
  addParts({ units, lengths, counts, singles, replacements }: CountParts): void {
    this.replacements += replacements;
    for (const [unit, times] of singles.entries()) this.#singles[unit] = (this.#singles[unit] as number) + times;
    for (let entry = 0, at = 0; entry < lengths.length; at += lengths[entry++] as number) {
      const text = textOfUnits(units, at, lengths[entry] as number);
      this.#stretches.add(text, 0, text.length, hashOf(text), counts[entry] as number);
    }
  }

  #addWords(stretch: string, times: number, counts: CountTable): void {
    const normalized = normalize(this.#points, this.#options, stretch, 0, stretch.length);
    forEachWord(this.#points, normalized, 0, normalized.codes.length, (start, end) => {
      const word = textOf(normalized.codes, start, end);
      counts.add(word, 0, word.length, hashOf(word), times);
    });
  }
}

function textOf(codes: readonly number[], start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCodePoint(codes[i] as number);
  return text;
}
