/**
 * Reader of sequences from files. It reads the files twice: first for names, lengths and mistakes, before any
 * computation; then for the sequences themselves. The sequences of a pipe, which can be read once, are kept in memory.
 *
 * A file is FASTA, or text: a line of plain text, or a row of JSONL, CSV, TSV or Parquet. The id of a FASTA sequence is
 * the first word of its header; the id of a text is the number of its line or row. Ids are made unique in the order of
 * the files: a repeated id gets `#2`, `#3`, …. A record without an id is `record-7`, by its number. Memory: ids and
 * lengths.
 */
import type { InnerStops } from "@cloze/data";
import {
  inputOf,
  readDocuments,
  readFasta,
  refusePipesTwice,
  resolveSources,
  type DataFormat,
  type DataSource,
} from "@cloze/data/node";
import { ConfigError, FormatError } from "@cloze/errors";
import { IssueCounter, isTextTokenizer, type EncodingIssues, type Tokenizer } from "@cloze/tokenizer";

export interface SequenceFileOptions {
  /** For rows: the field or column with the text. Default "text", else "sequence". */
  readonly field?: string | undefined;
  /** Default: the ending of a name decides its format. */
  readonly format?: DataFormat | undefined;
  /** Standard input, which the name "-" stands for. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

export interface SequenceFiles {
  /** Unique, in the order of the input. */
  readonly ids: readonly string[];
  /** Residues or tokens of each, as the tokenizer counts them. */
  readonly lengths: readonly number[];
  /** Number of repeated ids; each got a suffix. */
  readonly duplicates: number;
  readonly unnamed: number;
  readonly issues: EncodingIssues;
  /** Of proteins: sequences with a stop (`*`) before a residue, and where the first is. */
  readonly innerStops: InnerStops | undefined;
  /** Reads the sequences from the files. */
  texts(): AsyncIterable<string>;
}

/** Throws FormatError for a record without residues, ConfigError for no records at all. */
export async function readSequenceFiles(
  files: readonly string[],
  tokenizer: Tokenizer,
  path: (given: string) => string,
  options: SequenceFileOptions = {},
): Promise<SequenceFiles> {
  const ids: string[] = [];
  const lengths: number[] = [];
  const taken = new Set<string>();
  const counter = new IssueCounter();
  const noun = isTextTokenizer(tokenizer) ? "tokens" : "residues";
  await refusePipesTwice(files.map(path));
  const { format, stdin } = options;
  const found = { ...(format === undefined ? {} : { format }), ...(stdin === undefined ? {} : { stdin }) };
  const sources: { readonly file: string; readonly source: DataSource; readonly held: string[] | undefined }[] = [];
  for (const file of files)
    for (const source of await resolveSources([path(file)], found))
      sources.push({ file: file === "-" ? source.name : file, source, held: "pipe" in source.place ? [] : undefined });
  let firstStop: InnerStops["first"] | undefined;
  let stops = 0;
  let duplicates = 0;
  let unnamed = 0;
  for (const { file, source, held } of sources) {
    let record = 0;
    for await (const { header, text } of recordsOf(source, options)) {
      record++;
      held?.push(text);
      const word = header.trim().split(/\s/, 1)[0] ?? "";
      const name = word === "" ? `record-${ids.length + 1}` : word;
      const id = free(name, taken);
      if (word === "") unnamed++;
      if (id !== name) duplicates++;
      const encoded = tokenizer.encode(text, { special: false });
      if (encoded.ids.length === 0)
        throw new FormatError(file, `record ${record} (${name})`, `expected ${noun}, got none. Remove the record.`);
      counter.add(encoded.issues);
      const stop = (encoded.issues.unknown["*"] ?? 0) > 0 ? innerStop(text) : undefined;
      if (stop !== undefined) {
        firstStop ??= { file, record, residue: stop };
        stops++;
      }
      taken.add(id);
      ids.push(id);
      lengths.push(encoded.ids.length);
    }
  }
  if (ids.length === 0) throw new ConfigError(`${files.join(", ")}: expected at least one sequence, got none.`);
  return {
    ids,
    lengths,
    duplicates,
    unnamed,
    issues: counter.issues(),
    innerStops:
      firstStop === undefined || isTextTokenizer(tokenizer) ? undefined : { records: stops, first: firstStop },
    async *texts() {
      for (const { source, held } of sources)
        if (held !== undefined) yield* held;
        else for await (const { text } of recordsOf(source, options)) yield text;
    },
  };
}

/** The place, from 1, of the first stop of a text. Tokenizers do not know it where a residue follows. */
const innerStop = (text: string): number => text.replace(/\s/g, "").indexOf("*") + 1;

function free(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  let n = 2;
  while (taken.has(`${name}#${n}`)) n++;
  return `${name}#${n}`;
}

async function* recordsOf(
  source: DataSource,
  { field }: SequenceFileOptions,
): AsyncGenerator<{ readonly header: string; readonly text: string }> {
  if (source.format === "fasta") {
    const decoder = new TextDecoder();
    for await (const { header, sequence } of readFasta(inputOf(source)).records())
      yield { header, text: decoder.decode(sequence) };
    return;
  }
  const reader = readDocuments(source, { documents: "line", ...(field !== undefined && { field }) });
  for await (const { sentences, place } of reader.documents())
    yield { header: String(place), text: sentences.join(" ") };
}
