/**
 * The command `cloze tokenizer train`: trains a WordPiece vocabulary on texts and writes it as the four files that
 * `--tokenizer` and Python open.
 */
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DataSource } from "@cloze/data/node";
import { ConfigError } from "@cloze/errors";
import type { TextStream } from "@cloze/tokenizer-wordpiece/node";
import type { WordCounter, WordOptions } from "@cloze/tokenizer-wordpiece/train";
import { command, type Command, type Context } from "../command.ts";
import { expectElsewhere } from "../data-sources.ts";
import { bytes, counted, integer } from "../output.ts";
import type { Status } from "../status-line.ts";

/** Share of the progress bar for counting words. The rest is for merging pairs. */
const COUNTING = 0.7;

export const tokenizerTrain: Command = command({
  arguments: { name: "FILE…", option: "data", min: 0, max: Infinity },
  options: {
    data: {
      kind: "list",
      value: "FILE",
      required: true,
      help: "text, JSONL, CSV, TSV or Parquet, plain or gzip, or data sets of the Hub",
    },
    out: { kind: "string", value: "DIR", required: true, help: "folder for the tokenizer's files; made if need be" },
    size: {
      kind: "count",
      default: 30522,
      min: 6,
      help: "tokens of the vocabulary, special ones and characters included",
    },
    cased: { kind: "boolean", help: "keep upper case and accents" },
    minFrequency: { kind: "count", default: 2, min: 0, help: "pieces that occur less often are not joined" },
    alphabet: {
      kind: "count",
      default: 1000,
      min: 1,
      help: "characters that are tokens at most; the rarest are left out",
    },
    token: { kind: "list", value: "TOKEN", help: "tokens to have in any case" },
    format: {
      kind: "choice",
      choices: ["text", "jsonl", "csv", "tsv", "parquet"],
      help: "of the data; default: by the ending of the name, text without one",
    },
    field: { kind: "string", value: "NAME", help: "the field or column with the text; default text" },
    name: {
      kind: "string",
      value: "NAME",
      default: "wordpiece",
      help: "what the tokenizer is called in logs and shards",
    },
    workers: { kind: "integer", min: 0, help: "threads that count words; 0 counts on the main one" },
    overwrite: { kind: "boolean", help: "replace a tokenizer that is there" },
  },
  writes: { how: "inside", of: ({ options }) => options.out },
  examples: [
    { does: "A vocabulary of 8,000 tokens", line: "cloze tokenizer train corpus.txt --size 8k --out tokenizer" },
    {
      does: "Cased, with tokens of one's own",
      line: "cloze tokenizer train wiki.jsonl --cased --token BRCA1 COVID-19 --out cased",
    },
  ],
  notes: [
    "Look at what it does with a text: cloze tokenize --tokenizer DIR TEXT",
    "The same texts give the same vocabulary, in whatever order of files and on whatever number of threads.",
    "Memory grows with the number of distinct words, not with the files.",
  ],
  async run({ options, path, status, io }) {
    const { size, cased, minFrequency, alphabet, token, field, name, workers, overwrite } = options;
    const started = performance.now();
    const out = path(options.out);
    await refuseOther(out, overwrite);
    const { trainVocabulary } = await import("@cloze/tokenizer-wordpiece/train");
    const { wordPiece } = await import("@cloze/tokenizer-wordpiece");
    const line = status();
    try {
      const counter = await countWords(
        { names: options.data, path, io, field, format: options.format, workers, line },
        { lowercase: !cased },
      );
      const words = counter.words();
      if (words.size === 0)
        throw new ConfigError(
          `--data: expected text to train on, got none in ${options.data.join(" ")}. Check the files.`,
        );
      const vocabulary = trainVocabulary(words, {
        size,
        minFrequency,
        alphabetLimit: alphabet,
        initialTokens: token,
        onProgress: (tokens) => line.update(COUNTING + ((1 - COUNTING) * tokens) / size, `${integer(tokens)} tokens`),
      });
      let total = 0;
      for (let entry = 0; entry < words.size; entry++) total += words.count(entry);
      const tokenizer = wordPiece({ name, vocabulary, lowercase: !cased });
      const files = tokenizer.files();
      await writeFiles(out, files);
      const seconds = (performance.now() - started) / 1000;
      const { replacements } = counter;
      return {
        json: {
          path: out,
          files: Object.keys(files),
          tokenizer: { name, hash: tokenizer.hash, vocabularySize: vocabulary.length },
          words: total,
          distinctWords: words.size,
          invalid: replacements,
          seconds,
        },
        text: [
          `${counted(vocabulary.length, "token")} from ${counted(total, "word")}, ${integer(words.size)} of them ` +
            `distinct${vocabulary.length < size ? `; no more pairs occur ${counted(minFrequency, "time")}` : ""}`,
          ...(replacements > 0 ? [`${counted(replacements, "character")} that are no valid UTF-8 left out`] : []),
          `${out}, ${seconds.toFixed(1)} s`,
        ],
      };
    } catch (error) {
      throw inOurWords(error);
    } finally {
      line.finish();
    }
  },
});

/** Throws ConfigError if the folder holds a tokenizer, unless it is to be overwritten. Other files may be there. */
async function refuseOther(out: string, overwrite: boolean): Promise<void> {
  const there = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new ConfigError(`--out: expected a folder or nothing at ${out}, got ${error.message}. Choose another.`, {
      cause: error,
    });
  });
  const found = there.find((file) => file === "tokenizer.json" || file === "vocab.txt");
  if (found !== undefined && !overwrite)
    throw new ConfigError(
      `--out: expected no tokenizer in ${out}, got ${found}. Choose another folder, or pass --overwrite.`,
    );
}

async function writeFiles(out: string, files: Readonly<Record<string, string>>): Promise<void> {
  const { writeFileAtomic } = await import("@cloze/checkpoint/node");
  await mkdir(out, { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFileAtomic(join(out, file), text);
}

interface Request {
  readonly names: readonly string[];
  readonly path: Context["path"];
  readonly io: Context["io"];
  readonly field: string | undefined;
  readonly format: "text" | "jsonl" | "csv" | "tsv" | "parquet" | undefined;
  readonly workers: number | undefined;
  readonly line: Status;
}

/**
 * Counts the words. Plain text is counted as bytes, on threads. Rows of tables and data sets of the Hub are first read
 * as documents.
 */
async function countWords(
  { names, path, io, field, format: given, workers, line }: Request,
  words: WordOptions,
): Promise<WordCounter> {
  const { STDIN_NAME, formatOfName, readDocuments, refusePipesTwice, resolveSources } =
    await import("@cloze/data/node");
  const { WordCounter } = await import("@cloze/tokenizer-wordpiece/train");
  const texts: TextStream[] = [];
  const others: string[] = [];
  await refusePipesTwice(names.map(path));
  for (const name of names) {
    const found = name === STDIN_NAME ? undefined : await stat(path(name)).catch(() => undefined);
    if (found === undefined) await expectElsewhere(name, path, "--data ", "a file of text, JSONL, CSV, TSV or Parquet");
    const local = found !== undefined && !found.isDirectory();
    const format = given ?? formatOfName(name);
    if (format === "fasta")
      throw new ConfigError(
        `--data ${name}: expected text, got residues. Proteins have their alphabets: esm2, protbert, amplify.`,
      );
    const isPipe = name === STDIN_NAME || (local && !found.isFile());
    if (format === "text" || ((local || isPipe) && format === undefined)) {
      const [source] = await resolveSources([path(name)], { format: "text", stdin: io.stdin });
      if (source === undefined) continue;
      if (isPipe && format === undefined) await refuseRows(source, name);
      texts.push(textStream(source));
    } else others.push(local ? path(name) : name);
  }
  const share = COUNTING / (others.length > 0 && texts.length > 0 ? 2 : 1);
  const settings = { ...words, ...(workers === undefined ? {} : { workers }) };
  const counter =
    texts.length === 0
      ? new WordCounter(words)
      : await (
          await import("@cloze/tokenizer-wordpiece/node")
        ).countFiles(texts, {
          ...settings,
          onProgress: ({ file, bytesRead, bytesTotal }) =>
            line.update(
              (share * bytesRead) / Math.max(1, bytesTotal),
              `${file.split(/[\\/]/).at(-1) ?? file}  ${bytes(bytesRead)}`,
            ),
        });
  const sources =
    others.length === 0
      ? []
      : await resolveSources(others, {
          hub: (await import("@cloze/data")).hubSettings(io.env),
          stdin: io.stdin,
          ...(given === undefined ? {} : { format: given }),
        });
  for (const [i, source] of sources.entries()) {
    const reader = readDocuments(source, field === undefined ? {} : { field });
    for await (const batch of reader.batches()) {
      for (const { sentences } of batch) counter.add(sentences.join("\n"));
      line.update(
        COUNTING - share + (share * i) / sources.length,
        `${source.name.split(/[\\/]/).at(-1) ?? source.name}  ${counted(counter.size, "distinct word")}`,
      );
    }
  }
  return counter;
}

/** A source of plain text for the counter. Throws FormatError for bytes of another format. */
const textStream = (source: DataSource): TextStream => ({
  name: source.name,
  bytes: source.bytes,
  async *chunks(onRead) {
    const { expectText, inputOf, readChunks } = await import("@cloze/data/node");
    let first = true;
    for await (const chunk of readChunks(inputOf(source), { onRead })) {
      if (first) expectText(chunk, source.name);
      first = false;
      yield chunk;
    }
  },
});

/** Throws ConfigError for a pipe without a format that holds JSONL rather than text. */
async function refuseRows(source: DataSource, name: string): Promise<void> {
  const { headOf } = await import("@cloze/data/node");
  const head = new TextDecoder().decode(await headOf(source, ({ length }) => length > 1));
  if (/^\s*\{\s*"/.test(head))
    throw new ConfigError(`--data ${name}: expected text, got what looks like JSONL. Name its format: --format jsonl`);
}

/** Rewrites an error message of the library: parameters get the names of their flags. */
function inOurWords(error: unknown): unknown {
  if (!ConfigError.isInstance(error) || !error.message.startsWith("trainVocabulary: expected a size")) return error;
  const message = error.message
    .replace("trainVocabulary: expected a size", "--size: expected a vocabulary")
    .replace("Raise the size, or limit the alphabet.", "Raise --size, or lower --alphabet.");
  return new ConfigError(message, { cause: error });
}
