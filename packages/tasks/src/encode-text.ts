/**
 * The encoding of texts as rows, by either kind of tokenizer: a tokenizer of words (`TextTokenizer`: pairs, word ids,
 * windows), or a tokenizer of single letters (proteins), where every token is one word.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import type { TextEncodeOptions, TextEncoding, TextInput, TextTokenizer, Tokenizer } from "@cloze/tokenizer";
import type { EncodedRow } from "./task.ts";

export const isTextTokenizer = (tokenizer: Tokenizer): tokenizer is TextTokenizer => "encodeIds" in tokenizer;

export interface TextParts {
  readonly text: TextInput;
  readonly pair?: TextInput | undefined;
}

export interface RowOptions extends Pick<TextEncodeOptions, "truncate" | "stride"> {
  readonly maxLength: number;
}

/**
 * The rows of a text: one row, cut to `maxLength`; with `stride`, as many windows as the text needs. Throws
 * UnsupportedError for a pair if the tokenizer does not support pairs.
 */
export function encodeRows(
  tokenizer: Tokenizer,
  { text, pair }: TextParts,
  options: RowOptions,
): readonly EncodedRow[] {
  if (!isTextTokenizer(tokenizer)) {
    if (pair !== undefined)
      throw new UnsupportedError(`tokenizer ${tokenizer.name}: it takes single sequences, got a pair.`);
    return letterRows(tokenizer, text, options);
  }
  const first = tokenizer.encode(text, { ...options, ...(pair !== undefined && { pair }) });
  return [first, ...first.overflow].map((encoding) =>
    rowOf(encoding, options.stride === undefined ? encoding.truncated : 0),
  );
}

const rowOf = ({ ids, types, offsets, words, sequences }: TextEncoding, truncated: number): EncodedRow => ({
  ids,
  types,
  offsets,
  words,
  sequences,
  truncated,
});

/**
 * Rows from a tokenizer whose tokens are letters. The word number of a token is its token number, or for a list of
 * texts the index of the list entry in which the token begins.
 */
function letterRows(tokenizer: Tokenizer, text: TextInput, { maxLength, stride }: RowOptions): readonly EncodedRow[] {
  const whole = typeof text === "string" ? text : text.join("");
  const body = tokenizer.encode(whole, { special: false });
  const frame = tokenizer.encode("", {}).ids;
  const { start } = tokenizer.special;
  const before = start === undefined ? 0 : frame.indexOf(start) + 1;
  const room = maxLength - frame.length;
  const count = body.ids.length;
  if (!(room >= 1))
    throw new ConfigError(
      `encode: expected maxLength above ${frame.length}, the special tokens alone, got ${maxLength}.`,
    );
  const words =
    typeof text === "string" ? Int32Array.from({ length: count }, (_, i) => i) : entriesOf(body.offsets, text);
  const step = stride === undefined ? Infinity : Math.max(1, room - stride);
  const rows: EncodedRow[] = [];
  for (let from = 0; from === 0 || (stride !== undefined && from - step + room < count); from += step) {
    const to = Math.min(count, from + room);
    const length = to - from + frame.length;
    const row = {
      ids: new Int32Array(length),
      offsets: new Int32Array(2 * length),
      words: new Int32Array(length).fill(-1),
      sequences: new Int32Array(length).fill(-1),
      truncated: stride === undefined ? count - to : 0,
    };
    row.ids.set(frame.subarray(0, before));
    row.ids.set(body.ids.subarray(from, to), before);
    row.ids.set(frame.subarray(before), before + to - from);
    row.offsets.set(body.offsets.subarray(2 * from, 2 * to), 2 * before);
    row.words.set(words.subarray(from, to), before);
    row.sequences.fill(0, before, before + to - from);
    rows.push(row);
  }
  return rows;
}

/** For each token, the index of the list entry in which the token begins. */
function entriesOf(offsets: Int32Array, entries: readonly string[]): Int32Array {
  const found = new Int32Array(offsets.length / 2);
  let entry = 0;
  let end = entries[0]?.length ?? 0;
  for (let token = 0; token < found.length; token++) {
    while ((offsets[2 * token] as number) >= end && entry + 1 < entries.length)
      end += (entries[++entry] as string).length;
    found[token] = entry;
  }
  return found;
}

/**
 * The row and the token of each word's first piece, for a text that was cut into windows. If several windows contain
 * the piece, the window with the most context around it counts. Words without tokens, and words after the cut, are
 * missing.
 */
export function firstPieces(
  rows: readonly EncodedRow[],
): ReadonlyMap<number, { readonly row: number; readonly token: number }> {
  const best = new Map<number, { row: number; token: number; start: number; context: number }>();
  for (const [row, { words, sequences, offsets }] of rows.entries()) {
    for (let token = 0; token < words.length; token++) {
      const word = words[token] as number;
      if (word < 0 || sequences[token] !== 0 || (token > 0 && words[token - 1] === word && sequences[token - 1] === 0))
        continue;
      const start = offsets[2 * token] as number;
      const context = Math.min(token, words.length - 1 - token);
      const known = best.get(word);
      // A window may begin inside a word. The word's first piece is then in the previous window.
      if (known === undefined || start < known.start || (start === known.start && context > known.context))
        best.set(word, { row, token, start, context });
    }
  }
  return best;
}
