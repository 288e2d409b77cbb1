/**
 * The encoder of text between added tokens: words (split-words.ts), their bytes, merges (merge-word.ts), and a cache of
 * known words.
 *
 * A token that is a part of a character has the place of the whole character, as in Python. The cache is emptied when
 * it is full, so its size is bounded. It never changes a result. Price: one regular expression over the text and one
 * look-up per word; O(n log n) for a new word of n bytes.
 */
import type { Body } from "@cloze/tokenizer/internal";
import { byteCharacters, forEachByte } from "./byte-alphabet.ts";
import { mergeIds, type BpeConfig } from "./config.ts";
import { MergeTable, mergeWord } from "./merge-word.ts";
import { fromOf, toOf, type PlacedText } from "./placed-text.ts";
import { splitWords } from "./split-words.ts";

/** Longest word in the cache, in UTF-16 units. */
const LONGEST = 128;
const MOST_WORDS = 1 << 17;
const REPLACEMENT = 0xfffd;

/** The tokens of a word, each with its place [from, to) in the word. */
interface Pieces {
  readonly ids: readonly number[];
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Code points of characters with a byte that the vocabulary lacks. */
  readonly missing: readonly number[];
  /** Number of lone surrogates. */
  readonly replaced: number;
}

export class ByteEncoder {
  readonly #config: BpeConfig;
  readonly #merges: MergeTable;
  /** [256] Id of each byte's token, or -1. */
  readonly #byteIds: Int32Array;
  readonly #unknownId: number | undefined;
  /** With `ignoreMerges`: the id of each token, for words that are tokens. Else empty. */
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

  /** Adds the tokens of a text between added tokens to `body`. */
  encode(placed: PlacedText, body: Body): void {
    const { addPrefixSpace, useRegex, trimOffsets } = this.#config;
    const prefixed = addPrefixSpace && !placed.text.startsWith(" ");
    const text = prefixed ? ` ${placed.text}` : placed.text;
    const first = prefixed ? ((placed.text.codePointAt(0) as number) > 0xffff ? 2 : 1) : 0;
    // The prefix space has the place of the text's first character.
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

/** Numbers of white space units at the two ends of a token. */
export interface Ends {
  readonly leading: number;
  readonly trailing: number;
}

/** Counts the units at both ends of `text[start, end)` for which `isSpace` is true. */
export function endsOf(text: string, start: number, end: number, isSpace: (unit: string) => boolean): Ends {
  let leading = 0;
  let trailing = 0;
  while (start + leading < end && isSpace(text.charAt(start + leading))) leading++;
  while (end - trailing > start && isSpace(text.charAt(end - 1 - trailing))) trailing++;
  return { leading, trailing };
}

/**
 * Shortens the place of the last token by the white space at its ends.
 *
 * @param keepsPrefix keeps a single space at the start of the text, where a prefix space would be.
 * @param size units that one space takes in the text. The prefix space takes those of the text's first character.
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
