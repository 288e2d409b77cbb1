/**
 * FASTA files, read twice: once for names, lengths and mistakes, before anything is computed; once for the sequences themselves.
 *
 * A sequence's id is the first word of its header. Ids are made unique in the order of the files: an id that was there before gets
 * `#2`, `#3`, …, and a record without one is `record-7` by its number. Memory: ids and lengths.
 */
import { readFasta } from "@cloze/data/node";
import { ConfigError, FormatError } from "@cloze/errors";
import { IssueCounter, type EncodingIssues, type Tokenizer } from "@cloze/tokenizer";

export interface SequenceFiles {
  /** Unique, in the order of the input. */
  readonly ids: readonly string[];
  /** Residues of each, as the tokenizer counts them. */
  readonly lengths: readonly number[];
  /** Ids that got a number because they were there before. */
  readonly duplicates: number;
  readonly unnamed: number;
  readonly issues: EncodingIssues;
  /** The sequences, from the files. */
  texts(): AsyncIterable<string>;
}

/** Throws FormatError for a record without residues, ConfigError for no records at all. */
export async function readSequenceFiles(files: readonly string[], tokenizer: Tokenizer, path: (given: string) => string): Promise<SequenceFiles> {
  const ids: string[] = [], lengths: number[] = [], taken = new Set<string>(), counter = new IssueCounter();
  let duplicates = 0, unnamed = 0;
  for (const file of files) {
    let record = 0;
    for await (const { header, text } of recordsOf(path(file))) {
      record++;
      const word = header.trim().split(/\s/, 1)[0] ?? "", name = word === "" ? `record-${ids.length + 1}` : word, id = free(name, taken);
      if (word === "") unnamed++;
      if (id !== name) duplicates++;
      const encoded = tokenizer.encode(text, { special: false });
      if (encoded.ids.length === 0) throw new FormatError(file, `record ${record} (${name})`, "expected residues, got none. Remove the record.");
      counter.add(encoded.issues);
      taken.add(id);
      ids.push(id);
      lengths.push(encoded.ids.length);
    }
  }
  if (ids.length === 0) throw new ConfigError(`${files.join(", ")}: expected at least one sequence, got none.`);
  return {
    ids, lengths, duplicates, unnamed, issues: counter.issues(),
    async *texts() { for (const file of files) for await (const { text } of recordsOf(path(file))) yield text; },
  };
}

function free(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  let n = 2;
  while (taken.has(`${name}#${n}`)) n++;
  return `${name}#${n}`;
}

async function* recordsOf(file: string): AsyncGenerator<{ readonly header: string; readonly text: string }> {
  const decoder = new TextDecoder();
  for await (const { header, sequence } of readFasta(file).records()) yield { header, text: decoder.decode(sequence) };
}
