/** A growing run of token ids, and the encoders that append sequences to it. */
import type { ByteTokenizer, IssueCounter, Tokenizer } from "@cloze/tokenizer";
import type { Tokens } from "../rows/dataset.ts";
import type { TokenDtype } from "./shard-index.ts";

/** The tokenizer that data preparation needs. Every `Tokenizer` fits, and a tokenizer with `encodeBytes` is fast. */
export type DataTokenizer = Pick<Tokenizer, "name" | "hash" | "vocabulary" | "special" | "encode"> &
  Partial<Pick<ByteTokenizer, "encodeBytes">>;

/**
 * Appends the tokens of `source[start, end)`, without start and end tokens. Counts the characters that the tokenizer
 * replaced, dropped or did not know.
 */
export type Encoder = (source: Uint8Array, start: number, end: number, into: TokenBuffer, issues: IssueCounter) => void;

/** The longest piece, in bytes, that is encoded at once, so that a record of 100 MB needs no second 100 MB. */
export const PIECE: number = 1 << 20;

export function dtypeOf(vocabularySize: number): TokenDtype {
  if (vocabularySize <= 256) return "uint8";
  return vocabularySize <= 65_536 ? "uint16" : "uint32";
}

export function tokensOf(dtype: TokenDtype, size: number): Tokens {
  if (dtype === "uint8") return new Uint8Array(size);
  return dtype === "uint16" ? new Uint16Array(size) : new Uint32Array(size);
}

/**
 * A buffer of token ids. Without `drain` it grows without bound. With `drain`, a full buffer passes its tokens to
 * `drain` and starts again.
 */
export class TokenBuffer {
  data: Tokens;
  at = 0;
  readonly #dtype: TokenDtype;
  readonly #drain: ((tokens: Tokens) => void) | undefined;

  constructor(dtype: TokenDtype, size: number, drain?: (tokens: Tokens) => void) {
    this.data = tokensOf(dtype, size);
    this.#dtype = dtype;
    this.#drain = drain;
  }

  /** Makes room for `more` tokens. */
  reserve(more: number): void {
    if (this.at + more <= this.data.length) return;
    if (this.#drain !== undefined) this.drain();
    if (this.at + more <= this.data.length) return;
    const larger = tokensOf(this.#dtype, 2 * (this.at + more));
    larger.set(this.data.subarray(0, this.at));
    this.data = larger;
  }

  push(token: number): void {
    if (this.at === this.data.length) this.reserve(1);
    this.data[this.at++] = token;
  }

  append(tokens: ArrayLike<number>): void {
    this.reserve(tokens.length);
    this.data.set(tokens, this.at);
    this.at += tokens.length;
  }

  /** Passes the tokens to the `drain` function, and empties the buffer. */
  drain(): void {
    if (this.at > 0) this.#drain?.(this.data.subarray(0, this.at));
    this.at = 0;
  }
}

/**
 * The encoder of a tokenizer: `encodeBytes` for vocabularies up to 256 if the tokenizer has it, else `encode` on text.
 */
export function encoderOf(tokenizer: DataTokenizer): Encoder {
  const encodeBytes = tokenizer.encodeBytes?.bind(tokenizer);
  if (encodeBytes !== undefined && tokenizer.vocabulary.length <= 256) {
    return (source, start, end, into, issues) => {
      for (let from = start; from < end;) {
        const until = pieceEnd(source, from, end);
        into.reserve(until - from);
        into.at += encodeBytes(source, from, until, into.data as Uint8Array, into.at, issues);
        from = until;
      }
    };
  }
  const text = new TextDecoder();
  return (source, start, end, into, issues) => {
    const encoded = tokenizer.encode(text.decode(source.subarray(start, end)), { special: false });
    const { ids } = encoded;
    issues.add(encoded.issues);
    into.append(ids);
  };
}

/**
 * The end of the piece that begins at `from`. A piece ends in a letter, because tokenizers treat a final `*` in their
 * own way, and only the last character of the sequence is final.
 */
function pieceEnd(source: Uint8Array, from: number, end: number): number {
  if (end - from <= PIECE) return end;
  let until = from + PIECE;
  while (until > from && !isLetter(source[until - 1] as number)) until--;
  return until === from ? end : until;
}

function isLetter(byte: number): boolean {
  const upper = byte & 0xdf;
  return upper >= 65 && upper <= 90;
}
