/**
 * The rows of an embedding table for another vocabulary. A kept token keeps its row, also under another id. A new token
 * starts as an average token.
 *
 *     new row = mean of the old rows + 0.1 * their standard deviation * normal(seed, row, column)
 *
 * With the mean, the logit of a new token is near the average, so an untrained token is neither too likely nor too
 * unlikely. (With a row from the initializer it would be.) The noise makes new tokens differ. The noise depends only on
 * the seed, the row and the column, so a tied copy of the table gets the same rows.
 * Source: Hewitt 2021, "Initializing new word embeddings for pretrained language models".
 */
import { ConfigError } from "@cloze/errors";
import { RandomStream } from "@cloze/random";

export interface VocabularyChange {
  /** New id -> old id of the same token, or -1 for a new token. */
  readonly rows: Int32Array;
  readonly kept: number;
  readonly added: readonly string[];
  /** Old tokens that the new vocabulary lacks. */
  readonly dropped: readonly string[];
}

/**
 * Matches tokens by their text. `same` maps a new token to its old token where the text differs, for example `[MASK]`
 * to `<mask>`. Throws: ConfigError for a repeated token, whose row would be ambiguous.
 */
export function matchVocabulary(
  before: readonly string[],
  after: readonly string[],
  same: ReadonlyMap<string, string> = new Map(),
): VocabularyChange {
  const idOf = new Map(before.map((token, id) => [token, id]));
  const seen = new Set<string>();
  const taken = new Set<number>();
  const added: string[] = [];
  for (const [tokens, which] of [
    [before, "old"],
    [after, "new"],
  ] as const) {
    seen.clear();
    for (const token of tokens) {
      if (seen.has(token))
        throw new ConfigError(
          `${which} vocabulary: expected each token once, got ${JSON.stringify(token)} twice. Remove one of them.`,
        );
      seen.add(token);
    }
  }
  const rows = Int32Array.from(after, (token) => {
    const id = idOf.get(token) ?? idOf.get(same.get(token) ?? "");
    if (id === undefined) added.push(token);
    else taken.add(id);
    return id ?? -1;
  });
  return { rows, kept: after.length - added.length, added, dropped: before.filter((_, id) => !taken.has(id)) };
}

/** Turns `values` [old rows, columns] into [new rows, columns]. Old rows are copied bit for bit. */
export function resizeRows(
  values: Float32Array,
  columns: number,
  { rows }: Pick<VocabularyChange, "rows">,
  seed: number,
): Float32Array<ArrayBuffer> {
  const count = values.length / columns;
  const out = new Float32Array(rows.length * columns);
  const stream = new RandomStream(seed).split("new rows");
  const { mean, deviation } = columnsOf(values, columns, count);
  rows.forEach((from, row) => {
    if (from >= count)
      throw new ConfigError(
        `resize: expected a row for each of the old tokens, got ${count} rows for the token ${from}. The ` +
          "tokenizer is not this checkpoint's.",
      );
    if (from >= 0) return out.set(values.subarray(from * columns, (from + 1) * columns), row * columns);
    const own = stream.split(row);
    for (let c = 0; c < columns; c++)
      out[row * columns + c] = (mean[c] ?? 0) + 0.1 * (deviation[c] ?? 0) * normal(own, c);
  });
  return out;
}

function columnsOf(
  values: Float32Array,
  columns: number,
  count: number,
): { readonly mean: Float64Array; readonly deviation: Float64Array } {
  const mean = new Float64Array(columns);
  const deviation = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) mean[i % columns] = (mean[i % columns] ?? 0) + (values[i] ?? 0) / count;
  for (let i = 0; i < values.length; i++)
    deviation[i % columns] = (deviation[i % columns] ?? 0) + ((values[i] ?? 0) - (mean[i % columns] ?? 0)) ** 2 / count;
  return { mean, deviation: deviation.map(Math.sqrt) };
}

/** A normal random number, by the Box–Muller transform. */
const normal = (stream: RandomStream, index: number): number =>
  Math.sqrt(-2 * Math.log(1 - stream.uniform(2 * index))) * Math.cos(2 * Math.PI * stream.uniform(2 * index + 1));

/** Names of tensors with the vocabulary as first dimension, in a BERT or ESM-2, with or without the model prefix. */
const tables: readonly RegExp[] = [
  /^(?:[a-z_]+\.)?embeddings\.word_embeddings\.weight$/,
  /^cls\.predictions\.(?:decoder\.weight|decoder\.bias|bias)$/,
  /^lm_head\.(?:decoder\.weight|decoder\.bias|bias)$/,
];

export const holdsVocabulary = (name: string): boolean => tables.some((pattern) => pattern.test(name));
