/**
 * Ordinary text to tokens: words (split-words.ts), their bytes, merges (merge-word.ts), and a memory of the words it
 * has met.
 *
 * A token that is part of a character stands at the whole character, as in Python. The memory is emptied when full, so
 * it is bounded and decides nothing. Price: one regular expression over the text and one look-up per word; O(n log n)
 * for a new word of n bytes.
 */
import type { Body } from "@cloze/tokenizer/internal";
import { byteCharacters, forEachByte } from "./byte-alphabet.ts";
import { mergeIds, type BpeConfig } from "./config.ts";
import { MergeTable, mergeWord } from "./merge-word.ts";
import { fromOf, toOf, type PlacedText } from "./placed-text.ts";
import { splitWords } from "./split-words.ts";

/** Longer words are not remembered. */
const LONGEST = 128;
const MOST_WORDS = 1 << 17;
const REPLACEMENT = 0xfffd;

/** Tokens of a word, with [from, to) in the word. */
interface Pieces {
  readonly ids: readonly number[];
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Characters with bytes that the vocabulary lacks. */
  readonly missing: readonly number[];
  /** Lone surrogates. */
  readonly replaced: number;
}

export class ByteEncoder {
  readonly #config: BpeConfig;
  readonly #merges: MergeTable;
  /** [256] id of each byte's token, -1 if there is none. */
  readonly #byteIds: Int32Array;
  readonly #unknownId: number | undefined;
  /** Whole words that are tokens; empty unless merges are to be ignored for them. */
  readonly #whole: ReadonlyMap<string, number>;
  readonly #characters: readonly string[] = byteCharacters();
  readonly #words = new Map<string, Pieces>();

  constructor(config: BpeConfig) {
    const model = config.vocabulary.slice(0, config.modelSize);
    const ids = new Map(model.map((token, id) => [token, id]));
    this.#config = config;
    this.#merges = new MergeTable(mergeIds(config), config.modelSize);
    this.#byteIds = Int32Array.from(this.#characters, (character) => ids.get(character) ?? -1);
    this.#unknownId = config.unknownByte === undefined ? undefined : ids.get(config.unknownByte);
    this.#whole = config.ignoreMerges ? ids : new Map();
  }

  /** Adds the tokens of a stretch of text between added tokens. */
  encode(placed: PlacedText, body: Body): void {
    const { addPrefixSpace, useRegex, trimOffsets } = this.#config;
    const prefixed = addPrefixSpace && !placed.text.startsWith(" ");
    const text = prefixed ? ` ${placed.text}` : placed.text;
    const first = prefixed ? ((placed.text.codePointAt(0) as number) > 0xffff ? 2 : 1) : 0;
    // A space set before the text stands where its first character does.
    let at = prefixed ? -1 : 0;
    for (const word of useRegex ? splitWords(text) : [text]) {
      const pieces = this.#piecesOf(word);
      const { ids, from, to } = pieces;
      const number = body.words++;
      for (let p = 0; p < ids.length; p++) {
        const start = at + (from[p] as number);
        const end = at + (to[p] as number);
        body.push(ids[p] as number, fromOf(placed, Math.max(0, start)), toOf(placed, end > 0 ? end : first), number);
        if (trimOffsets !== "none")
          trimSpaces(
            body,
            endsOf(word, from[p] as number, to[p] as number, (unit) => unit === " "),
            trimOffsets === "spaces-but-prefix",
            start < 0 ? first : 1,
          );
      }
      if (pieces.missing.length + pieces.replaced > 0) this.#addTrouble(pieces, body);
      at += word.length;
    }
  }

  #addTrouble({ missing, replaced }: Pieces, body: Body): void {
    const { issues } = body;
    const kind = this.#unknownId === undefined ? issues.dropped : issues.unknown;
    body.troubled = true;
    for (const code of missing) kind.add(code);
    if (replaced > 0) issues.replaced.add(REPLACEMENT, replaced);
  }

  #piecesOf(word: string): Pieces {
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    const pieces = this.#pieces(word);
    if (word.length <= LONGEST) {
      if (this.#words.size >= MOST_WORDS) this.#words.clear();
      this.#words.set(word, pieces);
    }
    return pieces;
  }

  #pieces(word: string): Pieces {
    const symbols: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    const missing: number[] = [];
    let replaced = 0;
    let written = "";
    let last = -1;
    forEachByte(
      word,
      (byte, from, to) => {
        const id = this.#byteIds[byte] as number;
        const kept = id < 0 ? this.#unknownId : id;
        if (this.#whole.size > 0) written += this.#characters[byte];
        if (id < 0 && from !== last) {
          missing.push(word.codePointAt(from) as number);
          last = from;
        }
        if (kept === undefined) return;
        symbols.push(kept);
        starts.push(from);
        ends.push(to);
      },
      () => replaced++,
    );
    const whole = this.#whole.get(written);
    if (whole !== undefined) return { ids: [whole], from: [0], to: [word.length], missing: [], replaced };
    const merged = mergeWord(this.#merges, symbols);
    return {
      ids: merged.ids,
      missing,
      replaced,
      from: merged.starts.map((start) => starts[start] as number),
      to: merged.starts.map((_, p) => ends[(merged.starts[p + 1] ?? symbols.length) - 1] as number),
    };
  }
}

/** Characters at the two ends of a token that are white space. */
export interface Ends {
  readonly leading: number;
  readonly trailing: number;
}

/** How many units at the ends of `text[start, end)` are spaces to `isSpace`. */
export function endsOf(text: string, start: number, end: number, isSpace: (unit: string) => boolean): Ends {
  let leading = 0;
  let trailing = 0;
  while (start + leading < end && isSpace(text.charAt(start + leading))) leading++;
  while (end - trailing > start && isSpace(text.charAt(end - 1 - trailing))) trailing++;
  return { leading, trailing };
}

/**
 * Takes white space at both ends of the last token out of its place.
 *
 * @param keepsPrefix a single space at the very start of the text is left in, where the prefix space would be.
 * @param size units of a character at the ends: that of the first one, for a space that was set before it.
 */
export function trimSpaces(body: Body, { leading, trailing }: Ends, keepsPrefix: boolean, size = 1): void {
  const at = body.count - 1;
  const from = body.from[at] as number;
  const to = body.to[at] as number;
  const behind = size * trailing;
  const before = leading === 1 && from === 0 && keepsPrefix ? 0 : size * leading;
  body.from[at] = Math.min(from + before, to);
  if (to >= behind) body.to[at] = Math.max(to - behind, body.from[at] as number);
}
