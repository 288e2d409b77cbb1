/**
 * The command `cloze tokenize`: turns texts, files or standard input into tokens, ids and offsets, and counts the
 * characters that the tokenizer does not know or does not take as written.
 *
 * The tokenizer decides how a file or standard input is read: as FASTA records for residues, as lines for text.
 * Standard input for residues may also hold one sequence a line.
 */
import { stat } from "node:fs/promises";
import { ConfigError } from "@cloze/errors";
import type {
  CodePointIndex,
  Encoding,
  TextEncodeOptions,
  TextEncoding,
  Tokenizer,
  Utf16Index,
} from "@cloze/tokenizer";
import { command, type Command, type Context } from "../command.ts";
import { whatInstead } from "../missing-path.ts";
import { columns, counted, integer } from "../output.ts";
import { TOKENIZER_NAMES, tokenizerFrom } from "../tokenizers.ts";

interface Tokenized {
  readonly name: string;
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  /** [start, end) of each token in its text, in code points, as in Python; [0, 0] for special tokens. */
  readonly offsets: readonly (readonly [number, number])[];
  readonly truncated: number;
  readonly issues: Encoding["issues"];
  /** Only from a tokenizer of text: token types, word numbers (-1 for special tokens), and further windows. */
  readonly types?: readonly number[];
  readonly words?: readonly number[];
  readonly overflow?: readonly Tokenized[];
}

export const tokenize: Command = command({
  arguments: {
    name: "[TEXT…]",
    help:
      "texts to tokenize, or files of FASTA, or of lines of text by .txt, that are there; - or nothing reads either " +
      "from standard input",
    min: 0,
    max: Infinity,
  },
  options: {
    tokenizer: {
      kind: "string",
      value: "NAME|DIR",
      default: "esm2",
      checkpoint: { unless: TOKENIZER_NAMES },
      help: `${TOKENIZER_NAMES.join(", ")}, or a checkpoint folder`,
    },
    file: {
      kind: "string",
      value: "FILE",
      file: true,
      help: "read sequences of FASTA, or lines of text, from a file, plain or gzip",
    },
    pair: { kind: "string", value: "TEXT", help: "the second text of a pair, for a tokenizer of text" },
    maxLength: { kind: "integer", min: 1, help: "cut longer sequences, special tokens included" },
    stride: {
      kind: "integer",
      min: 0,
      help: "show what was cut off too, in windows that share this many tokens; for text",
    },
    table: { kind: "boolean", help: "a line for each token: id, place in the text in code points, word and type" },
    special: { kind: "boolean", default: true, help: "leave out the start and end tokens" },
  },
  examples: [
    { does: "A sequence with a masked residue", line: 'cloze tokenize "MKT<mask>YIAKQR"' },
    { does: "Every sequence of a file, as one JSON object", line: "cloze tokenize proteins.fasta --json" },
    {
      does: "A question and its context, token by token",
      line: 'cloze tokenize --tokenizer DIR "Who?" --pair "A cat." --table',
    },
  ],
  notes: [
    "Places in a text count code points, as in Python: an emoji is one. (The packages count UTF-16 units, as " +
      "JavaScript's strings do.)",
  ],
  async run({ args, options, io, path, json, note, print }) {
    if (options.file !== undefined && args.length > 0)
      throw new ConfigError(
        `tokenize: expected texts or --file, got both (${JSON.stringify(args[0])} and ${options.file}). Leave one out.`,
      );
    const tokenizer = await tokenizerFrom(options.tokenizer, path);
    for (const remark of tokenizer.remarks ?? []) note(`${options.tokenizer}: ${remark}`);
    const sequences: Tokenized[] = [];
    const { IssueCounter, codePointIndexOf, isTextTokenizer } = await import("@cloze/tokenizer");
    const counter = new IssueCounter();
    const text = isTextTokenizer(tokenizer);
    if (!text && (options.pair !== undefined || options.stride !== undefined)) {
      throw new ConfigError(
        `tokenize: expected a tokenizer of text with ${options.pair === undefined ? "--stride" : "--pair"}, got ` +
          `"${tokenizer.name}", one of residues. Leave the option out, or name a folder with a WordPiece ` +
          "vocabulary.",
      );
    }
    const { special, maxLength, pair, stride } = options;
    const settings: TextEncodeOptions = {
      special,
      ...(maxLength === undefined ? {} : { maxLength }),
      ...(pair === undefined ? {} : { pair }),
      ...(stride === undefined ? {} : { stride }),
    };
    const placeInPair = codePointIndexOf(pair ?? "");
    let tokens = 0;
    let count = 0;
    for await (const { name, text: given } of sources(args, options.file, { path, note, io }, text)) {
      const encoded = tokenizer.encode(given, settings);
      const result = describe(name, encoded, tokenizer, [codePointIndexOf(given), placeInPair]);
      counter.add(encoded.issues);
      tokens += result.ids.length;
      count++;
      if (json) sequences.push(result);
      else for (const line of lines(result, options.table)) print(line);
    }
    const issues = counter.issues();
    return {
      json: {
        tokenizer: { name: tokenizer.name, hash: tokenizer.hash, vocabularySize: tokenizer.vocabulary.length },
        sequences,
        totals: { sequences: count, tokens, issues },
      },
      text:
        count < 2 ? [] : [`${counted(count, text ? "text" : "sequence")}, ${counted(tokens, "token")}${said(issues)}`],
    };
  },
});

type Places = readonly [inText: (place: Utf16Index) => CodePointIndex, inPair: (place: Utf16Index) => CodePointIndex];

function describe(name: string, encoding: Encoding | TextEncoding, tokenizer: Tokenizer, places: Places): Tokenized {
  const { ids, offsets, truncated, issues } = encoding;
  const list = Array.from(ids);
  const placeOf = (token: number, side: 0 | 1): CodePointIndex => {
    const inPair = "sequences" in encoding && encoding.sequences[token] === 1;
    return places[inPair ? 1 : 0](offsets[2 * token + side] ?? 0);
  };
  const plain: Tokenized = {
    name,
    ids: list,
    tokens: list.map((id) => tokenizer.vocabulary[id] ?? ""),
    offsets: list.map((_, i) => [placeOf(i, 0), placeOf(i, 1)] as const),
    truncated,
    issues,
  };
  if (!("words" in encoding)) return plain;
  const { types, words, overflow } = encoding;
  return {
    ...plain,
    types: [...types],
    words: [...words],
    overflow: overflow.map((window) => describe(name, window, tokenizer, places)),
  };
}

function lines(result: Tokenized, table: boolean): readonly string[] {
  const { name, ids, tokens, truncated, issues, words, overflow = [] } = result;
  const cut = truncated > 0 ? `, ${integer(truncated)} cut off` : "";
  const body = table ? tableOf(result) : [tokens.join(" "), ids.join(" ")];
  const ofWords = words === undefined ? "" : ` of ${counted(wordsIn(result), "word")}`;
  const counts = `${counted(ids.length, "token")}${ofWords}${cut}${said(issues)}`;
  return [
    ...(name === "" ? [] : [`>${name}`]),
    ...body,
    counts,
    ...overflow.flatMap((window) => ["", ...lines({ ...window, name: "", truncated: 0, issues: NOTHING }, table)]),
  ];
}

const NOTHING: Encoding["issues"] = { replaced: {}, unknown: {}, dropped: {} };

/** The number of words. A word number counts from 0 in each text of a pair, so the token type is part of the key. */
function wordsIn({ words = [], types = [] }: Tokenized): number {
  return new Set(words.flatMap((word, i) => (word < 0 ? [] : [`${word} ${types[i] ?? 0}`]))).size;
}

function tableOf({ ids, tokens, offsets, words, types }: Tokenized): readonly string[] {
  const rows = ids.map((id, i) => {
    const [from, to] = offsets[i] ?? [0, 0];
    const word = words?.[i] ?? -1;
    return [
      tokens[i] ?? "",
      String(id),
      ...(from === to ? ["", ""] : [String(from), String(to)]),
      ...(words === undefined ? [] : [word < 0 ? "" : String(word), String(types?.[i] ?? 0)]),
    ];
  });
  return columns(
    [["token", "id", "from", "to", ...(words === undefined ? [] : ["word", "type"])], ...rows],
    [1, 2, 3, 4, 5],
  );
}

/** A remark such as `; unknown: * 2, J 1`; empty if there are no issues. */
function said(issues: Encoding["issues"]): string {
  return (["unknown", "replaced", "dropped"] as const)
    .flatMap((kind) => {
      const counts = Object.entries(issues[kind]).map(
        ([character, times]) => `${character.trim() === "" ? JSON.stringify(character) : character} ${integer(times)}`,
      );
      return counts.length === 0 ? [] : [`; ${kind}: ${counts.join(", ")}`];
    })
    .join("");
}

interface Source {
  readonly name: string;
  readonly text: string;
}

async function* sources(
  args: readonly string[],
  file: string | undefined,
  { path, note, io: { stdin } }: Pick<Context, "path" | "note" | "io">,
  text: boolean,
): AsyncGenerator<Source> {
  if (file === "-") return yield* streamed(stdin, text);
  if (file !== undefined) return yield* fileSources(file, path, text);
  if (args.length > 0 && !(args.length === 1 && args[0] === "-")) {
    for (const word of args)
      if (await namesFile(word, path, note)) yield* fileSources(word, path, text);
      else yield { name: "", text: word };
    return;
  }
  if (stdin.isTTY === true && args.length === 0)
    throw new ConfigError("tokenize: expected a text, --file or a pipe, got none of them. See: cloze tokenize --help");
  yield* streamed(stdin, text);
}

/**
 * Whether a word is the name of a file of sequences or text rather than a text: `proteins.fasta` that is there. `note`
 * is told of a word that only looks like one.
 */
async function namesFile(word: string, path: (given: string) => string, note: Context["note"]): Promise<boolean> {
  const { formatOfName } = await import("@cloze/data/node");
  const format = formatOfName(word);
  if (format !== "fasta" && format !== "text") return false;
  const found = await stat(path(word)).catch(() => undefined);
  if (found === undefined) note(`${word}: no such file, so it is a text.${await whatInstead(word, path)}`);
  return found?.isFile() ?? false;
}

/** The lines of a file, or for a tokenizer of residues its FASTA records. */
async function* fileSources(file: string, path: (given: string) => string, text: boolean): AsyncGenerator<Source> {
  const { readChunks, readFasta } = await import("@cloze/data/node");
  if (text) return yield* textLines(file, readChunks(path(file)));
  const decoder = new TextDecoder();
  for await (const { header, sequence } of readFasta(path(file)).records())
    yield { name: header, text: decoder.decode(sequence) };
}

/** One text a line; empty lines are left out. */
async function* textLines(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Source> {
  const { LineParser } = await import("@cloze/data");
  const parser = new LineParser({ file: name });
  const texts = (lines: readonly string[]): readonly Source[] =>
    lines.filter((text) => text !== "").map((text) => ({ name: "", text }));
  for await (const chunk of chunks) yield* texts(parser.push(chunk));
  yield* texts(parser.finish());
}

/** Standard input, plain or gzip. For residues: FASTA if it begins with `>` or `;`, else one sequence a line. */
async function* streamed(stdin: AsyncIterable<Uint8Array>, text: boolean): AsyncGenerator<Source> {
  const { Pipe, readFasta } = await import("@cloze/data/node");
  const pipe = new Pipe("standard input", () => stdin);
  const start = text
    ? ""
    : new TextDecoder().decode(await pipe.head((bytes) => /[^\s\ufeff]/.test(new TextDecoder().decode(bytes))));
  if (!/^\s*[>;]/.test(start)) return yield* textLines(pipe.name, pipe.read());
  const decoder = new TextDecoder();
  for await (const { header, sequence } of readFasta(pipe).records())
    yield { name: header, text: decoder.decode(sequence) };
}
