/**
 * The messages between a prefetching thread and its worker. A batch travels as its buffers, which change their owner
 * without a copy.
 */
import { ClozeError, FormatError, type ErrorKind } from "@cloze/errors";
import type { PackedSequence, TokenBatch } from "@cloze/tokenizer";

export type ToWorker = { readonly step: number };

export type FromWorker =
  { readonly step: number; readonly batch: FlatBatch } | { readonly step: number; readonly error: FlatError };

export interface FlatBatch extends Omit<TokenBatch, "sequences"> {
  /**
   * [example, row, start, length, second, label] of each sequence; second and label are -1 if the sequence is not a
   * pair.
   */
  readonly sequences: Float64Array;
}

export interface FlatError {
  readonly message: string;
  readonly stack: string | undefined;
  readonly cloze: { readonly kind: ErrorKind; readonly code: string } | undefined;
  readonly format: { readonly file: string; readonly place: string } | undefined;
}

export function flatten(batch: TokenBatch): FlatBatch {
  const sequences = new Float64Array(6 * batch.sequences.length);
  for (const [i, { example, row, start, length, pair }] of batch.sequences.entries())
    sequences.set([example, row, start, length, pair?.second ?? -1, pair?.label ?? -1], 6 * i);
  return { ...batch, sequences };
}

export function unflatten(flat: FlatBatch): TokenBatch {
  const of = (i: number): number => flat.sequences[i] as number;
  const sequences = Array.from({ length: flat.sequences.length / 6 }, (_, i): PackedSequence => {
    const at = 6 * i;
    const second = of(at + 4);
    return {
      example: of(at),
      row: of(at + 1),
      start: of(at + 2),
      length: of(at + 3),
      ...(second >= 0 && { pair: { second, label: of(at + 5) === 0 ? 0 : 1 } }),
    };
  });
  return { ...flat, sequences };
}

/** An error as plain data, because errors lose their class on the way between threads. */
export function flattenError(error: unknown): FlatError {
  return {
    message: error instanceof Error ? error.message : String(error),
    stack: error instanceof Error ? error.stack : undefined,
    cloze: ClozeError.isInstance(error) ? { kind: error.kind, code: error.code } : undefined,
    format: FormatError.isInstance(error) ? { file: error.file, place: error.place } : undefined,
  };
}

export function unflattenError({ message, stack, cloze, format }: FlatError): Error {
  let error: Error;
  if (format !== undefined) {
    const { file, place } = format;
    const head = `${file}${place === "" ? "" : `, ${place}`}: `;
    error = new FormatError(file, place, message.startsWith(head) ? message.slice(head.length) : message);
  } else if (cloze !== undefined) {
    error = new ClozeError(cloze.kind, cloze.code, message);
  } else {
    error = new Error(message);
  }
  if (stack !== undefined) error.stack = stack;
  return error;
}
