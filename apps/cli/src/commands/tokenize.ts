/** `cloze tokenize`: texts, FASTA or standard input to tokens, ids and offsets, with a count of what was not taken as written. */
import { ConfigError } from "@cloze/errors";
import type { FastaBatch, FastaParser } from "@cloze/data";
import type { Encoding, Tokenizer } from "@cloze/tokenizer";
import { command, type Command } from "../command.ts";
import { integer } from "../output.ts";
import { TOKENIZER_NAMES, tokenizerFrom } from "../tokenizers.ts";

interface Tokenized {
  readonly name: string;
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  /** [start, end) of each token in the text, in UTF-16 units; [0, 0] for special tokens. */
  readonly offsets: readonly (readonly [number, number])[];
  readonly truncated: number;
  readonly issues: Encoding["issues"];
}

export const tokenize: Command = command({
  arguments: { name: "[TEXT…]", help: "texts to tokenize; - or nothing reads lines, or FASTA, from standard input", min: 0, max: Infinity },
  options: {
    tokenizer: { kind: "string", value: "NAME|DIR", default: "esm2", checkpoint: { unless: TOKENIZER_NAMES }, help: `${TOKENIZER_NAMES.join(", ")}, or a checkpoint folder` },
    file: { kind: "string", value: "FASTA", help: "read sequences from a FASTA file, plain or gzip" },
    maxLength: { kind: "integer", min: 1, help: "cut longer sequences, special tokens included" },
    special: { kind: "boolean", default: true, help: "leave out the start and end tokens" },
  },
  examples: [
    { does: "A sequence with a masked residue", line: 'cloze tokenize "MKT<mask>YIAKQR"' },
    { does: "Every sequence of a file, as one JSON object", line: "cloze tokenize --file proteins.fasta --json" },
  ],
  async run({ args, options, io, path, json, print }) {
    if (options.file !== undefined && args.length > 0) throw new ConfigError(`tokenize: expected texts or --file, got both (${JSON.stringify(args[0])} and ${options.file}). Leave one out.`);
    const tokenizer = await tokenizerFrom(options.tokenizer, path), sequences: Tokenized[] = [];
    const { IssueCounter } = await import("@cloze/tokenizer"), counter = new IssueCounter();
    const settings = { special: options.special, ...(options.maxLength === undefined ? {} : { maxLength: options.maxLength }) };
    let tokens = 0, count = 0;
    for await (const { name, text } of sources(args, options.file, path, io.stdin)) {
      const encoded = tokenizer.encode(text, settings), result = describe(name, encoded, tokenizer);
      counter.add(encoded.issues);
      tokens += result.ids.length;
      count++;
      if (json) sequences.push(result);
      else for (const line of lines(result)) print(line);
    }
    const issues = counter.issues();
    return {
      json: { tokenizer: { name: tokenizer.name, hash: tokenizer.hash, vocabularySize: tokenizer.vocabulary.length }, sequences, totals: { sequences: count, tokens, issues } },
      text: count < 2 ? [] : [`${integer(count)} sequences, ${integer(tokens)} tokens${said(issues)}`],
    };
  },
});

function describe(name: string, { ids, offsets, truncated, issues }: Encoding, { vocabulary }: Tokenizer): Tokenized {
  const list = Array.from(ids);
  return {
    name, ids: list, tokens: list.map((id) => vocabulary[id] ?? ""),
    offsets: list.map((_, i) => [offsets[2 * i] ?? 0, offsets[2 * i + 1] ?? 0] as const), truncated, issues,
  };
}

function lines({ name, ids, tokens, truncated, issues }: Tokenized): readonly string[] {
  const cut = truncated > 0 ? `, ${integer(truncated)} cut off` : "";
  return [...(name === "" ? [] : [`>${name}`]), tokens.join(" "), ids.join(" "), `${integer(ids.length)} tokens${cut}${said(issues)}`];
}

/** `; unknown: * 2, J 1`, and nothing where there is nothing to say. */
function said(issues: Encoding["issues"]): string {
  return (["unknown", "replaced", "dropped"] as const).flatMap((kind) => {
    const counts = Object.entries(issues[kind]).map(([character, times]) => `${character.trim() === "" ? JSON.stringify(character) : character} ${integer(times)}`);
    return counts.length === 0 ? [] : [`; ${kind}: ${counts.join(", ")}`];
  }).join("");
}

interface Source { readonly name: string; readonly text: string }

async function* sources(args: readonly string[], file: string | undefined, path: (given: string) => string, stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean }): AsyncGenerator<Source> {
  if (file !== undefined) {
    const { readFasta } = await import("@cloze/data/node"), decoder = new TextDecoder();
    for await (const { header, sequence } of readFasta(path(file)).records()) yield { name: header, text: decoder.decode(sequence) };
    return;
  }
  if (args.length > 0 && !(args.length === 1 && args[0] === "-")) {
    for (const text of args) yield { name: "", text };
    return;
  }
  if (stdin.isTTY === true && args.length === 0) throw new ConfigError("tokenize: expected a text, --file or a pipe, got none of them. See: cloze tokenize --help");
  yield* streamed(stdin);
}

/** Standard input: FASTA when it begins with `>` or `;`, else one text a line. */
async function* streamed(stdin: AsyncIterable<Uint8Array>): AsyncGenerator<Source> {
  const data = await import("@cloze/data"), decoder = new TextDecoder(), byteDecoder = new TextDecoder();
  let fasta: FastaParser | undefined, begun = false, rest = "";
  const records = function* (batch: FastaBatch): Generator<Source> {
    for (let i = 0; i < batch.count; i++) yield { name: batch.header(i), text: byteDecoder.decode(batch.sequence(i)) };
  };
  for await (const chunk of stdin) {
    if (chunk.length === 0) continue;
    if (!begun) fasta = chunk[0] === 62 || chunk[0] === 59 ? new data.FastaParser({ file: "standard input" }) : undefined;
    begun = true;
    if (fasta !== undefined) {
      yield* records(fasta.push(chunk));
      continue;
    }
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = parts.pop() ?? "";
    for (const text of parts) if (text !== "") yield { name: "", text };
  }
  if (fasta !== undefined) yield* records(fasta.finish());
  else if (rest !== "") yield { name: "", text: rest };
}
