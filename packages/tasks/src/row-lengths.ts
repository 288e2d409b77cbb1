/**
 * The length of rows: what a limit cuts, and a limit that fits when the caller names none.
 *
 * The usual limit, 128 tokens (384 for questions), holds as long as it cuts few records. Otherwise the limit is the
 * shortest row length (`rowLength`) that cuts few, up to 1024 tokens and the model's limit. A default never cuts most
 * of the records: that is an error which asks for a limit.
 */
import { ConfigError } from "@cloze/errors";
import type { EncodedExamples } from "./encode-examples.ts";
import { integer } from "./examination.ts";
import { rowLength } from "./row-batches.ts";
import type { EncodedRow, TaskKind } from "./task.ts";

/** Largest share of records that a default may cut where a longer row is possible. */
const FEW = 0.05;
/** Share of records above which a default that cuts is refused. */
const MOST = 0.5;
/** Longest row that is chosen without asking. */
const LONGEST = 1024;

export const usualLength = (kind: TaskKind): number => (kind === "question-answering" ? 384 : 128);

/** What a limit cut. */
export interface RowCut {
  readonly rows: number;
  readonly of: number;
  /** Tokens that no row holds. */
  readonly tokens: number;
  readonly ofTokens: number;
}

/** Number of tokens of each record's longest row, as if nothing were cut. */
const wholeLengths = ({ rows, records }: Pick<EncodedExamples, "rows" | "records">): number[] =>
  records.map(({ first, count }) =>
    rows.slice(first, first + count).reduce((most, { ids, truncated }) => Math.max(most, ids.length + truncated), 0),
  );

export function rowCutOf(rows: readonly EncodedRow[]): RowCut {
  const tokens = rows.reduce((sum, { truncated }) => sum + truncated, 0);
  return {
    rows: rows.filter(({ truncated }) => truncated > 0).length,
    of: rows.length,
    tokens,
    ofTokens: tokens + rows.reduce((sum, { ids }) => sum + ids.length, 0),
  };
}

/** `8 of 24 rows are cut to 16 tokens. 120 of 400 tokens are not read.` Undefined if nothing is cut. */
export function cutNote({ rows, of, tokens, ofTokens }: RowCut, maxLength: number): string | undefined {
  return rows === 0
    ? undefined
    : `${integer(rows)} of ${integer(of)} rows are cut to ${integer(maxLength)} tokens. ${integer(tokens)} of ` +
        `${integer(ofTokens)} tokens are not read.`;
}

/**
 * The limit for examples that were encoded with the usual limit, with a reason if it is another one. Throws
 * ConfigError if the limit would cut most of them.
 */
export function fittingLength(
  encoded: Pick<EncodedExamples, "rows" | "records">,
  usual: number,
  modelLimit: number,
): { readonly maxLength: number; readonly reason?: string } {
  const lengths = wholeLengths(encoded).sort((a, b) => a - b);
  const of = lengths.length;
  const records = lengths.filter((length) => length > usual).length;
  if (records <= FEW * of) return { maxLength: usual };
  const wanted = lengths[Math.ceil((1 - FEW) * of) - 1] as number;
  const maxLength = Math.min(rowLength(wanted), modelLimit, Math.max(LONGEST, usual));
  const still = lengths.filter((length) => length > maxLength).length;
  if (still > MOST * of)
    throw new ConfigError(
      `max length: expected rows that hold most examples, got ${still} of ${of} examples with more than ${maxLength} ` +
        `tokens, ${maxLength === modelLimit ? "the model's limit" : "the longest row that is chosen without asking"} ` +
        `(median ${lengths[Math.floor(of / 2)]}, longest ${lengths.at(-1)}). Write --max-length ${maxLength} to cut ` +
        `them${maxLength === modelLimit ? ", or shorten the texts" : `, or more, up to the model's ${modelLimit}`}.`,
    );
  return maxLength === usual
    ? { maxLength }
    : {
        maxLength,
        reason:
          `rows of up to ${maxLength} tokens: ${usual} would cut ${records} of ${of} examples. ` +
          `--max-length sets another limit.`,
      };
}
