/** The command `cloze embed`: turns sequences of FASTA files, or texts, into vectors. */
import { ConfigError } from "@cloze/errors";
import type { Embedding } from "@cloze/inference";
import { command, type Command, type Result } from "../command.ts";
import { BACKEND_OPTIONS, CHECKPOINT_OPTION, PORTION_OPTION } from "../compute-options.ts";
import { READING_OPTIONS } from "../data-options.ts";
import { readNumber } from "../options.ts";
import { columns, counted, innerStopsIn, integer } from "../output.ts";
import { TOKENIZER_NAMES } from "../tokenizers.ts";
import type { SequenceFiles } from "../sequence-files.ts";

const POOLINGS = ["mean", "cls", "pooler", "per-token"] as const;
const POLICIES = ["window", "truncate", "error"] as const;

export const embed: Command = command({
  arguments: {
    name: "FILE…",
    option: "data",
    min: 0,
    max: Infinity,
  },
  options: {
    ...CHECKPOINT_OPTION,
    data: {
      kind: "list",
      value: "FILE",
      file: true,
      required: true,
      help: "FASTA, or text: a line each of .txt, a row each of .jsonl, .csv, .tsv, .parquet; plain or gzip",
    },
    format: { ...READING_OPTIONS.format, help: "of the files; default: by the ending of the name" },
    field: {
      kind: "string",
      value: "NAME",
      help: "of rows, the field or column with the text (default: text, else sequence)",
    },
    out: {
      kind: "string",
      value: "FILE",
      required: true,
      help: "file to write: .safetensors, .npy, .parquet, .csv or .tsv",
    },
    pooling: {
      kind: "choice",
      choices: POOLINGS,
      default: "mean",
      help:
        "mean over residues or tokens, the start token, that one through the model's pooler, or a vector for each " +
        "residue",
    },
    special: { kind: "boolean", help: "the mean is over start and end tokens too, as sentence-transformers has it" },
    normalize: { kind: "boolean", help: "vectors of length 1" },
    layer: {
      kind: "list",
      single: true,
      value: "N[,N…]",
      default: ["-1"],
      help:
        "0 the embeddings, L or -1 the last of L layers after the final norm; negative from the end; several are " +
        "computed in one pass",
    },
    long: {
      kind: "choice",
      choices: POLICIES,
      default: "window",
      help: "what becomes of sequences above --max-length",
    },
    maxLength: {
      kind: "integer",
      min: 8,
      help: "tokens that run at once, start and end included (default: what the model was made for)",
    },
    tokenizer: {
      kind: "string",
      value: "NAME|DIR",
      checkpoint: { unless: TOKENIZER_NAMES },
      help: "default: the tokenizer beside the weights",
    },
    untrained: {
      kind: "boolean",
      help: "new weights of the checkpoint's config.json instead of its own: the baseline to beat. The output says so",
    },
    seed: { kind: "integer", min: 0, default: 0, help: "of --untrained" },
    ...PORTION_OPTION,
    ...BACKEND_OPTIONS,
  },
  writes: { how: "whole", of: ({ options }) => options.out },
  examples: [
    {
      does: "One vector for each protein",
      line: "cloze embed proteins.fasta --checkpoint runs/mine --out proteins.parquet",
    },
    {
      does: "One for each line of text, as sentence-transformers",
      line: "cloze embed texts.txt --checkpoint all-MiniLM-L6-v2 --out texts.npy --special --normalize",
    },
    {
      does: "One for each residue, of layer 3",
      line:
        "cloze embed proteins.fasta.gz --checkpoint runs/mine --out residues.safetensors --pooling per-token " +
        "--layer 3",
    },
    {
      does: "A table for a spreadsheet, R or pandas, of two layers",
      line: "cloze embed proteins.fasta --checkpoint runs/mine --out proteins.csv --layer 3,-1",
    },
  ],
  notes: [
    "Rows come in the order of the input. A sequence's id is the first word of its header, a text's the number " +
      "of its line or row; an id that was there before gets #2, #3, …",
    "Long sequences: window runs overlapping windows of --max-length tokens (at least a quarter shared with the " +
      "next) and averages the vectors of residues that several see; truncate takes the beginning; error refuses " +
      "before anything is computed. What was windowed or cut is reported.",
    '.safetensors: a tensor "embeddings" [n, hidden] and the ids as a JSON list in the metadata; per token, a ' +
      "tensor [residues, hidden] under each id. .npy: f32 [n, hidden], per token [all residues, hidden]; " +
      "FILE.npy.ids.txt names each row (per token: id, tab, place from 1). .parquet: columns id, length, embedding " +
      "(a list; per token a list of lists). .csv and .tsv: columns id, dim_0, dim_1, …; per token a row for each, " +
      "with its place from 1 in the column place.",
    "Of several layers, by their numbers from 0, so that -1 of six layers is 6. .safetensors: tensors " +
      '"embeddings.layer_6", per token "layer_6/ID". .npy: [rows, layers, hidden], in the order of --layer. ' +
      ".parquet: columns embedding_layer_6, …. .csv and .tsv: columns layer_6_dim_0, ….",
  ],
  async run({ options, given, path, io, json, note, status }) {
    const { formatOf, writeEmbeddings } = await import("../embedding-files.ts");
    const { modelOf, outputFile, tokenizerOf, withEncoder } = await import("../encoder-options.ts");
    const { readSequenceFiles } = await import("../sequence-files.ts");
    const { namesInWords, whileWaiting } = await import("../waiting-line.ts");
    const { showEmbedProgress } = await import("../embed-progress.ts");
    const { layerIndices } = await import("@cloze/inference");
    const { isTextTokenizer } = await import("@cloze/tokenizer");
    const format = formatOf(options.out);
    const { untrained, seed } = options;
    if (given.has("seed") && !untrained)
      throw new ConfigError("embed: expected --untrained with --seed, got --seed alone. A checkpoint has no seed.");
    const { untrainedModel } = await import("../untrained-model.ts");
    const loaded = await (untrained ? untrainedModel(path(options.checkpoint), seed) : modelOf(options, path));
    if (untrained) note(`untrained: new weights with seed ${seed}, a baseline; nothing has been learnt`);
    const tokenizer = await tokenizerOf(options.tokenizer, loaded, { path, note });
    const { maxLength = loaded.maxLength, pooling, special, normalize, long } = options;
    const layer = layersOf(options.layer);
    const room = maxLength - tokenizer.encode("").ids.length;
    const sequences = await whileWaiting(io.stderr, json, (waiting) => {
      waiting.say(`reading ${namesInWords(options.data)}`);
      const reading = { field: options.field, format: options.format, stdin: io.stdin };
      return readSequenceFiles(options.data, tokenizer, path, reading);
    });
    const noun = isTextTokenizer(tokenizer) ? "token" : "residue";
    const residues = sequences.lengths.map((n) => (long === "truncate" ? Math.min(n, room) : n));
    refuseLong(sequences, room, long, noun);
    const out = await outputFile(options.out, path);
    return withEncoder(options, loaded, tokenizer, note, async ({ encoder, backend }) => {
      const started = performance.now();
      const seen = { windowed: 0, windows: 0, truncated: 0, cut: 0 };
      const line = status();
      const layers = layerIndices(layer, encoder.hiddenStateCount);
      const about = {
        model: loaded.family,
        pooling,
        layer: layer.join(","),
        special: String(special),
        normalize: String(normalize),
        long,
        max_length: String(maxLength),
        ...(untrained && { untrained: `new weights with seed ${seed}` }),
      };
      const nameOf = (i: number): string => sequences.ids[i] ?? `sequence ${i + 1}`;
      const total = residues.reduce((a, b) => a + b, 0);
      const totals = { texts: sequences.ids.length, residues: total, noun: `${noun}s` };
      const onProgress = showEmbedProgress(line, totals);
      const settings = { layer, pooling, special, normalize, maxLength, long, nameOf, onProgress };
      const vectors = counting(encoder.embed(sequences.texts(), settings), seen);
      await writeEmbeddings(
        out,
        { ids: sequences.ids, residues, perToken: pooling === "per-token", hidden: encoder.hidden, layers, about },
        vectors,
      ).finally(() => line.finish());
      const seconds = (performance.now() - started) / 1000;
      return report({
        out,
        shown: options.out,
        format: format.name,
        checkpoint: loaded.dir,
        ...(untrained && { untrained: { seed } }),
        backend,
        sequences,
        residues: total,
        noun,
        hidden: encoder.hidden,
        pooling,
        layer: layer.length === 1 ? (layer[0] as number) : layer,
        layers,
        long: { policy: long, maxLength, ...seen },
        seconds,
      });
    });
  },
});

/** The numbers of `--layer 6,12 --layer -1`. */
function layersOf(words: readonly string[]): readonly number[] {
  return words
    .flatMap((word) => word.split(","))
    .map((word) => {
      const layer = readNumber("integer", word);
      if (layer === undefined)
        throw new ConfigError(
          `--layer: expected whole numbers between commas, such as 6,-1, got ${JSON.stringify(words.join(" "))}.`,
        );
      return layer;
    });
}

function refuseLong({ ids, lengths }: SequenceFiles, room: number, long: string, noun: string): void {
  const at = long === "error" ? lengths.findIndex((n) => n > room) : -1;
  if (at >= 0)
    throw new ConfigError(
      `embed, ${ids[at]}: expected at most ${room} ${noun}s, got ${lengths[at]}. Raise --max-length, or choose ` +
        "--long window or --long truncate.",
    );
}

interface Seen {
  windowed: number;
  windows: number;
  truncated: number;
  cut: number;
}

async function* counting(vectors: AsyncIterable<Embedding>, seen: Seen): AsyncGenerator<Embedding> {
  for await (const each of vectors) {
    if (each.windows > 1) {
      seen.windowed++;
      seen.windows += each.windows;
    }
    if (each.cut > 0) seen.truncated++;
    seen.cut += each.cut;
    yield each;
  }
}

interface Report {
  readonly out: string;
  readonly shown: string;
  readonly format: string;
  readonly checkpoint: string;
  /** The weights are new. Absent: they are the checkpoint's. */
  readonly untrained?: { readonly seed: number };
  readonly backend: string;
  readonly sequences: SequenceFiles;
  readonly residues: number;
  readonly noun: string;
  readonly hidden: number;
  readonly pooling: string;
  /** As given: -1. A list if there are several. */
  readonly layer: number | readonly number[];
  /** The same, counted from 0. */
  readonly layers: readonly number[];
  readonly seconds: number;
  readonly long: Seen & { readonly policy: string; readonly maxLength: number };
}

function report({ shown, sequences, noun, ...rest }: Report): Result {
  const { ids, duplicates, unnamed, issues, innerStops } = sequences;
  const { long, seconds, residues } = rest;
  const says = (character: string, n: number): string => `${character} ${integer(n)}`;
  const changed = (["unknown", "replaced", "dropped"] as const).flatMap((kind) =>
    Object.entries(issues[kind]).length === 0
      ? []
      : [
          [
            kind,
            Object.entries(issues[kind])
              .map(([c, n]) => says(c.trim() === "" ? JSON.stringify(c) : c, n))
              .join(", "),
          ],
        ],
  );
  return {
    json: {
      ...rest,
      sequences: ids.length,
      duplicates,
      unnamed,
      issues,
      innerStops,
      sequencesPerSecond: ids.length / seconds,
      residuesPerSecond: residues / seconds,
    },
    text: [
      `${shown}: ${counted(ids.length, "sequence")}, ${counted(residues, noun)}, ${rest.hidden} numbers a ` +
        `vector${rest.layers.length > 1 ? ` of ${rest.layers.length} layers` : ""}, in ${seconds.toFixed(1)} s`,
      ...columns([
        ...(rest.untrained ? [["untrained", `new weights with seed ${rest.untrained.seed}`]] : []),
        ...(long.windowed > 0
          ? [
              [
                "in windows",
                `${counted(long.windowed, "sequence")}, ${counted(long.windows, "window")} of at most ` +
                  `${long.maxLength} tokens`,
              ],
            ]
          : []),
        ...(long.truncated > 0
          ? [
              [
                "truncated",
                `${counted(long.truncated, "sequence")} to ${long.maxLength} tokens, ${counted(long.cut, noun)} ` +
                  "left out",
              ],
            ]
          : []),
        ...(duplicates > 0 ? [["renamed", `${counted(duplicates, "id")} that had been there before`]] : []),
        ...(unnamed > 0 ? [["unnamed", `${counted(unnamed, "record")} named by number`]] : []),
        ...changed,
        ...(innerStops === undefined ? [] : [["stops", innerStopsIn(innerStops)]]),
      ]).map((row) => `  ${row}`),
    ],
  };
}
