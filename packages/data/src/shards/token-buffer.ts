/** A growing run of token ids, and the encoders that append sequences to it. */
import type { ByteTokenizer, IssueCounter, Tokenizer } from "@cloze/tokenizer";
import type { Tokens } from "../rows/dataset.ts";
import type { TokenDtype } from "./shard-index.ts";

/** What data preparation asks of a tokenizer; every `Tokenizer` fits, and one with `encodeBytes` is fast. */
export type DataTokenizer = Pick<Tokenizer, "name" | "hash" | "vocabulary" | "special" | "encode"> &
  Partial<Pick<ByteTokenizer, "encodeBytes">>;

/**
 * Appends the tokens of `source[start, end)`, without start and end tokens, and counts what was not taken as it stood.
 */
export type Encoder = (source: Uint8Array, start: number, end: number, into: TokenBuffer, issues: IssueCounter) => void;

/** Longest piece that is encoded at once, so that a record of 100 MB needs no second 100 MB. */
export const PIECE: number = 1 << 20;

export function dtypeOf(vocabularySize: number): TokenDtype {
  if (vocabularySize <= 256) return "uint8";
  return vocabularySize <= 65_536 ? "uint16" : "uint32";
}

export function tokensOf(dtype: TokenDtype, size: number): Tokens {
  if (dtype === "uint8") return new Uint8Array(size);
  return dtype === "uint16" ? new Uint16Array(size) : new Uint32Array(size);
}

/** Grows without bound, or, given `drain`, hands over what it holds when it is full and starts again. */
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

  /** Hands over what it holds. */
  drain(): void {
    if (this.at > 0) this.#drain?.(this.data.subarray(0, this.at));
    this.at = 0;
  }
}

/** The tokenizer's own fast path where it has one, else its `encode` on text. */
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
 * A piece ends in a letter: tokenizers treat a final `*` in their own way, and only the sequence's last one is final.
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
