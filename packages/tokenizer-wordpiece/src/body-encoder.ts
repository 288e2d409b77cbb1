/**
 * The encoder of text between added tokens: a scanner over unit classes, and a cache of known stretches.
 *
 * The scanner cuts the text at white space, punctuation and Chinese characters: normalization never acts across them.
 * It hashes each stretch between cuts while it reads the stretch, and takes the stretch's pieces from the cache. A new
 * stretch goes through the complete definition (normalize.ts, word-pieces.ts). Most words of a corpus are not new. The
 * cache is emptied when it is full, so its size is bounded. It never changes a result. Price: one table look-up per
 * unit and one per stretch.
 */
import { HASH_PRIME, HASH_SEED, SliceTable, grown, type Body } from "@cloze/tokenizer/internal";
import { normalize, type NormalizerOptions } from "./normalize.ts";
import { SINGLE, SPACE, WORD, unitClasses } from "./unit-classes.ts";
import { piecesOf, type Pieces, type WordModel } from "./word-pieces.ts";

/** Longest stretch in the cache, in UTF-16 units. */
const LONGEST = 128;
const MOST_WORDS = 1 << 17;
const MOST_UNITS = 1 << 21;
const UNSEEN = -1;

/** The issues of one stretch: dropped characters, and for each unknown word the character at which its match failed. */
export interface Trouble {
  readonly dropped: readonly number[];
  readonly unknown: readonly number[];
}

export class BodyEncoder {
  readonly model: WordModel;
  readonly options: NormalizerOptions;
  readonly #classes: Uint8Array;
  /** [65536] Id of each SINGLE unit, or UNSEEN where no text had it yet. */
  readonly #singles: Int32Array = new Int32Array(0x10000).fill(UNSEEN);
  #table: SliceTable = new SliceTable();
  /** Entry i of the table has the pieces [first[i], first[i + 1]) of the arrays below. Places count in the stretch. */
  #first: Int32Array = new Int32Array(1 << 12);
  #ids: Int32Array = new Int32Array(1 << 13);
  #from: Int32Array = new Int32Array(1 << 13);
  #to: Int32Array = new Int32Array(1 << 13);
  #word: Int32Array = new Int32Array(1 << 13);
  /** Number of words in each entry's stretch. */
  #words: Int32Array = new Int32Array(1 << 12);
  readonly #trouble = new Map<number, Trouble>();

  constructor(model: WordModel, options: NormalizerOptions) {
    this.model = model;
    this.options = options;
    this.#classes = unitClasses(model.points, options);
  }

  /** Adds the tokens of `text[start, end)` to the body. Places count from the start of the text. */
  encode(text: string, start: number, end: number, body: Body): void {
    const classes = this.#classes;
    for (let i = start; i < end;) {
      let unit = text.charCodeAt(i);
      const kind = classes[unit] as number;
      if (kind === SPACE) i++;
      else if (kind === SINGLE) {
        this.#single(text, i, unit, body);
        i++;
      } else {
        const from = i;
        let hash = HASH_SEED;
        do {
          hash = Math.imul(hash ^ unit, HASH_PRIME);
          i++;
        } while (i < end && (classes[(unit = text.charCodeAt(i))] as number) > SINGLE);
        this.#stretch(text, from, i, hash, body);
      }
    }
  }

  /** Like `encode`, without places and word numbers: it fills only `body.ids` and `body.count`. */
  encodeIds(text: string, start: number, end: number, body: Body): void {
    const classes = this.#classes;
    for (let i = start; i < end;) {
      let unit = text.charCodeAt(i);
      const kind = classes[unit] as number;
      if (kind === SPACE) i++;
      else if (kind === SINGLE) {
        const id = this.#singles[unit] as number;
        body.reserve(1);
        body.ids[body.count++] = id === UNSEEN ? this.#firstSingle(text, i, unit) : id;
        i++;
      } else {
        const from = i;
        let hash = HASH_SEED;
        do {
          hash = Math.imul(hash ^ unit, HASH_PRIME);
          i++;
        } while (i < end && (classes[(unit = text.charCodeAt(i))] as number) > SINGLE);
        const entry = this.#entry(text, from, i, hash);
        if (entry < 0) this.#stretch(text, from, i, hash, body);
        else {
          const first = this.#first[entry] as number;
          const last = this.#first[entry + 1] as number;
          body.reserve(last - first);
          for (let p = first; p < last; p++) body.ids[body.count++] = this.#ids[p] as number;
        }
      }
    }
  }

  #firstSingle(text: string, at: number, unit: number): number {
    const pieces = this.#whole(text, at, at + 1);
    const [id = this.model.unknownId] = pieces.ids;
    this.#singles[unit] = id;
    return id;
  }

  #single(text: string, at: number, unit: number, body: Body): void {
    const known = this.#singles[unit] as number;
    const id = known === UNSEEN ? this.#firstSingle(text, at, unit) : known;
    if (id === this.model.unknownId) {
      body.troubled = true;
      body.issues.unknown.add(unit);
    }
    body.push(id, at, at + 1, body.words++);
  }

  #stretch(text: string, from: number, until: number, hash: number, body: Body): void {
    const entry = this.#entry(text, from, until, hash);
    if (entry < 0) {
      this.#longStretch(text, from, until, body);
      return;
    }
    const first = this.#first[entry] as number;
    const last = this.#first[entry + 1] as number;
    body.reserve(last - first);
    const { ids, from: starts, to: ends, wordOf, words } = body;
    let at = body.count;
    for (let p = first; p < last; p++, at++) {
      ids[at] = this.#ids[p] as number;
      starts[at] = from + (this.#from[p] as number);
      ends[at] = from + (this.#to[p] as number);
      wordOf[at] = words + (this.#word[p] as number);
    }
    body.count = at;
    body.words = words + (this.#words[entry] as number);
    if (this.#trouble.size > 0) {
      const trouble = this.#trouble.get(entry);
      if (trouble !== undefined) addTrouble(body, trouble);
    }
  }

  /**
   * Encodes a stretch that is too long for the cache. Where it has only WORD units and more of them than
   * `maxWordLength`, it is one unknown word.
   */
  #longStretch(text: string, from: number, until: number, body: Body): void {
    let at = from;
    if (until - from > this.model.maxWordLength) while (at < until && this.#classes[text.charCodeAt(at)] === WORD) at++;
    if (at === until) {
      addTrouble(body, { dropped: [], unknown: [text.charCodeAt(from)] });
      body.push(this.model.unknownId, from, until, body.words++);
      return;
    }
    const dropped: number[] = [];
    const pieces = this.#whole(text, from, until, dropped);
    addPieces(pieces, body);
    addTrouble(body, { dropped, unknown: pieces.unknown });
  }

  /** The table's entry of a stretch, old or new; -1 for a stretch that is too long for the cache. */
  #entry(text: string, from: number, until: number, hash: number): number {
    const found = this.#table.find(text, from, until, hash);
    if (found >= 0) return found;
    if (until - from > LONGEST) return -1;
    if (this.#table.size >= MOST_WORDS || this.#table.units >= MOST_UNITS) this.#forget();
    const dropped: number[] = [];
    const pieces = this.#whole(text, from, until, dropped);
    const entry = this.#table.add(text, from, until, hash);
    if (entry + 1 >= this.#first.length) {
      this.#first = grown(this.#first, 2 * this.#first.length);
      this.#words = grown(this.#words, this.#first.length);
    }
    const first = this.#first[entry] as number;
    this.#reservePieces(first + pieces.ids.length);
    for (let p = 0; p < pieces.ids.length; p++) {
      this.#ids[first + p] = pieces.ids[p] as number;
      this.#from[first + p] = (pieces.from[p] as number) - from;
      this.#to[first + p] = (pieces.to[p] as number) - from;
      this.#word[first + p] = pieces.words[p] as number;
    }
    this.#first[entry + 1] = first + pieces.ids.length;
    this.#words[entry] = pieces.count;
    if (dropped.length + pieces.unknown.length > 0) this.#trouble.set(entry, { dropped, unknown: pieces.unknown });
    return entry;
  }

  #reservePieces(needed: number): void {
    if (needed <= this.#ids.length) return;
    const length = 2 * needed;
    this.#ids = grown(this.#ids, length);
    this.#from = grown(this.#from, length);
    this.#to = grown(this.#to, length);
    this.#word = grown(this.#word, length);
  }

  #forget(): void {
    this.#table = new SliceTable();
    this.#trouble.clear();
  }

  #whole(text: string, from: number, until: number, dropped?: number[]): Pieces {
    const normalized = normalize(this.model.points, this.options, text, from, until, (code) => dropped?.push(code));
    return piecesOf(this.model, normalized, 0, normalized.codes.length);
  }
}

/** Adds pieces to a body. The word numbers of the pieces count from 0. */
export function addPieces(pieces: Pieces, body: Body): void {
  body.reserve(pieces.ids.length);
  for (let p = 0; p < pieces.ids.length; p++) {
    body.push(
      pieces.ids[p] as number,
      pieces.from[p] as number,
      pieces.to[p] as number,
      body.words + (pieces.words[p] as number),
    );
  }
  body.words += pieces.count;
}

/** Adds the issues of a stretch to the counts of a body. */
export function addTrouble(body: Body, { dropped, unknown }: Trouble): void {
  if (dropped.length + unknown.length === 0) return;
  body.troubled = true;
  for (const code of dropped) body.issues.dropped.add(code);
  for (const code of unknown) body.issues.unknown.add(code);
}
