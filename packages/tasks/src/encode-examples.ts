/** The encoding of records as rows: the rows of each record are consecutive, and labelled records also have targets. */
import type { Tokenizer } from "@cloze/tokenizer";
import { singleRows, type RowGroup } from "./row-batches.ts";
import type { EncodedRow, EncodeLimits, RowTarget, Task } from "./task.ts";

export interface EncodedExamples {
  readonly rows: readonly EncodedRow[];
  /** The rows of each record. */
  readonly records: readonly RowGroup[];
  /** The rows that must be in one batch: single rows, or all rows of a record. */
  readonly groups: readonly RowGroup[];
}

export interface LabelledExamples extends EncodedExamples {
  /** The target of each row. */
  readonly targets: readonly RowTarget[];
}

/** What the row length cut off. */
export interface Cut {
  /** Number of records that were cut. */
  readonly records: number;
  /** Number of their tokens that no row holds. */
  readonly tokens: number;
}

/** What was cut off these records. */
export function cutOf({ rows, records }: Pick<EncodedExamples, "rows" | "records">): Cut {
  const lost = records.map(({ first, count }) =>
    rows.slice(first, first + count).reduce((sum, { truncated }) => sum + truncated, 0),
  );
  return { records: lost.filter((tokens) => tokens > 0).length, tokens: lost.reduce((sum, n) => sum + n, 0) };
}

export function encodeExamples<R extends object, O extends object>(
  task: Task<R, O>,
  tokenizer: Tokenizer,
  records: readonly R[],
  limits: EncodeLimits,
): EncodedExamples {
  const rows: EncodedRow[] = [];
  const places: RowGroup[] = [];
  for (const record of records) {
    const made = task.encode(tokenizer, record, limits);
    places.push({ first: rows.length, count: made.length });
    rows.push(...made);
  }
  return { rows, records: places, groups: task.grouped ? places : singleRows(rows.length) };
}

/** Encodes labelled records. `where` names a record in errors. Throws ConfigError for a missing or unknown label. */
export function encodeLabelled<R extends object, O extends object>(
  task: Task<R, O>,
  tokenizer: Tokenizer,
  records: readonly R[],
  limits: EncodeLimits,
  where: (record: number) => string,
): LabelledExamples {
  const encoded = encodeExamples(task, tokenizer, records, limits);
  const targets = encoded.records.flatMap(({ first, count }, i) =>
    task.targets(records[i] as R, encoded.rows.slice(first, first + count), where(i)),
  );
  return { ...encoded, targets };
}
