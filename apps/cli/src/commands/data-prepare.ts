/**
 * The command `cloze data prepare`: turns sequences or text into token shards. Training reads the shards without
 * parsing anything again.
 */
import type { ShardCounts, ShardIndex } from "@cloze/data";
import type { AnySplitRule, ClusterTable, PreparedParts, PreparedShards } from "@cloze/data/node";
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import { command, type Command, type Context } from "../command.ts";
import { DATA_HELP, FILTER_OPTIONS, READING_OPTIONS, filterOf, readingOf } from "../data-options.ts";
import { resolveData } from "../data-sources.ts";
import { inGroup } from "../options.ts";
import { bytes, columns, counted, innerStopsIn, integer } from "../output.ts";
import { TOKENIZER_NAMES, isProteinTokenizer, tokenizerFrom } from "../tokenizers.ts";

const OPTIONS = {
  ...inGroup("Data", {
    data: { kind: "list", value: "FILE", help: `${DATA_HELP}; none: those of the preset on the Hub` },
    preset: {
      kind: "choice",
      choices: ["omg_prot50", "og_prot90", "uniref50_09012025", "uniref50", "uniref90", "uniref100", "bfd"],
      help: "a published set: its format, columns, split and, of the first three, its files on the Hub",
    },
    tokenizer: {
      kind: "string",
      value: "NAME|DIR",
      default: "esm2",
      checkpoint: { unless: TOKENIZER_NAMES },
      help: `${TOKENIZER_NAMES.join(", ")}, or a checkpoint folder`,
    },
  }),
  ...READING_OPTIONS,
  ...inGroup("Data", {
    maxRecord: { kind: "count", min: 1, help: "refuse sequences, lines and documents longer than this" },
    clusters: {
      kind: "string",
      value: "FILE",
      file: true,
      help: "table of clusters and members (ids in FASTA headers): an epoch then shows one of each cluster",
    },
    clusterFields: {
      kind: "string",
      value: "C,M",
      default: "1,2",
      help: "its columns of the cluster and of the member, by name or number",
    },
  }),
  ...FILTER_OPTIONS,
  ...inGroup("Split", {
    split: {
      kind: "choice",
      choices: ["content", "published"],
      help:
        "by a hash of the sequence, or by row: shuffled, 20,000 held out, half each (default: the preset's, else " +
        "content)",
    },
    valid: {
      kind: "number",
      value: "SHARE",
      default: 0.005,
      min: 0,
      max: 1,
      help: "share of the documents for validation, chosen by content",
    },
    test: { kind: "number", value: "SHARE", default: 0, min: 0, max: 1, help: "share of the documents for testing" },
    seed: { kind: "integer", default: 0, min: 0, help: "another seed, another split" },
  }),
  ...inGroup("Output", {
    out: { kind: "string", value: "DIR", required: true, help: "folder for the shards; made if need be" },
    name: {
      kind: "string",
      value: "NAME",
      default: "tokens",
      help: "files are NAME_train_000000.bin, …, and the index NAME.json",
    },
    tokensPerShard: { kind: "count", default: 1e8, min: 1, help: "tokens in one file" },
    overwrite: { kind: "boolean", help: "replace shards made from other inputs or settings" },
    rank: {
      kind: "integer",
      min: 0,
      help: "this process prepares part RANK, RANK + WORLD, …; the last one joins them",
    },
    world: {
      kind: "integer",
      min: 1,
      help: "processes that prepare this data; with 1, parts that are done outlast an interruption",
    },
  }),
};

export const dataPrepare: Command = command({
  arguments: { name: "[FILE…]", option: "data", min: 0, max: Infinity },
  options: OPTIONS,
  writes: { how: "shared", of: ({ options }) => options.out },
  examples: [
    {
      does: "Two files, one sequence in a hundred held out",
      line: "cloze data prepare a.fasta b.fasta.gz --out shards --valid 0.01",
    },
    {
      does: "Text, each document once, none of a few words",
      line: "cloze data prepare wiki.jsonl.gz --tokenizer bert --out shards --dedup --min-tokens 16",
    },
    {
      does: "A split of a data set of the Hub",
      line: "cloze data prepare hf://datasets/OWNER/NAME:default:train --tokenizer bert --out shards",
    },
    {
      does: "UniRef90 by the clusters of UniRef50",
      line:
        "cloze data prepare uniref90.fasta.gz --clusters idmapping.tsv.gz --no-header --cluster-fields 10,9 --out " +
        "u90",
    },
    {
      does: "A published set, by one of four processes",
      line: "cloze data prepare omg/*.parquet --preset omg_prot50 --out omg50 --rank 0 --world 4",
    },
  ],
  notes: [
    "With --clusters the split is by cluster too. UniProt's idmapping_selected.tab has UniRef90 in column 9 and " +
      "UniRef50 in column 10; rename it to end in .tsv.",
    "Called again with the same inputs and settings, it keeps the shards that are there.",
    "In plain text a line is a sentence and a blank line ends a document. In JSONL, tables and Parquet a row is " +
      "a document, and its lines are its sentences.",
  ],
  async run({ options, given, path, status, io, note }) {
    const { PRESETS } = await import("@cloze/data/node");
    const preset = options.preset === undefined ? undefined : PRESETS[options.preset];
    const names = options.data.length > 0 ? options.data : (preset?.hub ?? []);
    if (names.length === 0)
      throw new ConfigError(
        "data prepare: expected the names of files, got none" +
          (preset === undefined
            ? ". Name them, or a --preset that is on the Hub."
            : `: ${options.preset ?? ""} is not on the Hub. Download it and name its files.`),
      );
    const started = performance.now();
    const named = await resolveData({
      names,
      format: options.format ?? (preset?.format === "fasta" ? "fasta" : undefined),
      path,
      env: io.env,
      stdin: io.stdin,
      where: "data prepare: ",
    });
    const odd = named.find(({ weight, shards }) => weight !== undefined || shards !== undefined);
    if (odd !== undefined)
      throw new ConfigError(
        "data prepare: expected files of text or sequences, got " +
          (odd.shards === undefined
            ? `a weight for ${odd.name}. Weights are for: cloze pretrain --data`
            : `the index ${odd.name}. Token shards are prepared already.`),
      );
    const tokenizer = await tokenizerFrom(options.tokenizer, path);
    const line = status();
    const prepared = await prepare(
      { options, given, path, io },
      named.flatMap(({ sources }) => sources),
      tokenizer,
      (share, file, done) => line.update(share, `${file.split(/[\\/]/).at(-1) ?? file}  ${done}`),
    )
      .catch((error: unknown) => {
        throw inOurWords(error);
      })
      .finally(() => line.finish());
    if (!("index" in prepared)) {
      const { parts, done } = prepared;
      const rest =
        done < parts
          ? "The others are with the other ranks: the last of them joins all."
          : "Another process joins them.";
      return {
        json: { parts, done, joined: false },
        text: [`${integer(done)} of ${counted(parts, "part")} done. ${rest}`],
      };
    }
    if (prepared.interrupted)
      note("an earlier preparation was interrupted: made anew. With --world 1, parts that are done are kept");
    const { index, reused } = prepared;
    const seconds = (performance.now() - started) / 1000;
    const text = index.counts.text !== undefined;
    return {
      json: {
        path: prepared.path,
        reused,
        tokenizer: { name: index.tokenizer.name, hash: index.tokenizer.hash },
        dtype: index.dtype,
        splits: index.splits,
        counts: index.counts,
        seconds,
      },
      text: [
        ...columns(
          [
            ["split", text ? "documents" : "sequences", "tokens", "shards"],
            ...Object.entries(index.splits).map(([split, { documents, tokens, shards }]) => [
              split,
              integer(documents),
              integer(tokens),
              integer(shards.length),
            ]),
          ],
          [1, 2, 3],
        ),
        ...(text
          ? ofText(index)
          : [
              `${counted(index.counts.records, "record")}, ${counted(index.counts.residues, "residue")}` +
                `${sizeOf(index)}${problems(index.counts)}`,
            ]),
        ...(index.clusters === undefined
          ? []
          : [
              `${counted(
                Object.values(index.splits).reduce((n, each) => n + (each.clusters?.count ?? 0), 0),
                "cluster",
              )}; ${counted(index.counts.unmapped ?? 0, "sequence")} of none, each its own`,
            ]),
        `${prepared.path}${reused ? " (was there already)" : `, ${seconds.toFixed(1)} s`}`,
      ],
    };
  },
});

type Asked = Pick<Context<typeof OPTIONS>, "options" | "given" | "path" | "io">;
type Sources = Awaited<ReturnType<typeof resolveData>>[number]["sources"];

/**
 * Prepares the shards. With `--world` this process prepares its share of the parts. Otherwise unfiltered FASTA takes a
 * shorter way, over bytes; all other formats, and filtered FASTA, are read as documents.
 */
async function prepare(
  { options, given, path, io }: Asked,
  found: Sources,
  tokenizer: Tokenizer,
  progress: (share: number, file: string, done: string) => void,
): Promise<PreparedShards | PreparedParts> {
  const { PRESETS, groupOf, inputOf, prepareDocuments, prepareParts, prepareShards } = await import("@cloze/data/node");
  const { name, overwrite, tokensPerShard, maxRecord, rank, world, preset } = options;
  const filter = filterOf(options);
  const limit = maxRecord === undefined ? {} : { maxRecord };
  const common = {
    tokenizer,
    out: path(options.out),
    name,
    overwrite,
    tokensPerShard,
    split: await splitRule({ options, given }),
  };
  const { split } = common;
  // A shell lists files in alphabetical order, but the split rule has an order of its own for the parts.
  const groups = "heldOut" in split ? split.groups : undefined;
  const sources =
    groups === undefined ? found : found.toSorted((a, b) => groupOf(a.name, groups) - groupOf(b.name, groups));
  const field = options.field ?? (preset === undefined ? undefined : PRESETS[preset].fields?.sequence);
  const reading = { ...readingOf({ ...options, field }, isProteinTokenizer(tokenizer)), ...limit };
  if ((rank ?? 0) >= (world ?? 1))
    throw new ConfigError(
      `data prepare: expected a rank below the number of processes, got --rank ${rank ?? 0} and ` +
        `${world === undefined ? "no --world" : `--world ${world}`}. Ranks count from 0.`,
    );
  const clusters = options.clusters === undefined ? undefined : await clusterTable(options, path, io);
  if (
    clusters !== undefined &&
    (world !== undefined || filter !== undefined || sources.some(({ format }) => format !== "fasta"))
  )
    throw new ConfigError(
      "data prepare: expected FASTA without filters and by one process with --clusters, got another format, a " +
        "filter, or --world. Leave it out.",
    );
  if (world !== undefined) {
    const parts = await prepareParts({
      ...common,
      sources,
      reading,
      rank: rank ?? 0,
      world,
      ...(filter === undefined ? {} : { filter }),
      onProgress: ({ source, bytesRead, bytesTotal, documents }) =>
        progress(bytesRead / Math.max(1, bytesTotal), source, counted(documents, "document")),
    });
    return parts.shards ?? parts;
  }
  if (filter === undefined && sources.every(({ format }) => format === "fasta")) {
    return prepareShards({
      ...common,
      ...limit,
      ...(clusters === undefined ? {} : { clusters }),
      files: sources.map(inputOf),
      onProgress: ({ file, bytesRead, bytesTotal, records }) =>
        progress(bytesRead / Math.max(1, bytesTotal), file, counted(records, "sequence")),
    });
  }
  return prepareDocuments({
    ...common,
    sources,
    reading,
    ...(filter === undefined ? {} : { filter }),
    onProgress: ({ source, bytesRead, bytesTotal, documents }) =>
      progress(bytesRead / Math.max(1, bytesTotal), source, counted(documents, "document")),
  });
}

async function clusterTable(
  { clusters = "", clusterFields, header }: Asked["options"],
  path: Asked["path"],
  { stdin }: Asked["io"],
): Promise<ClusterTable> {
  const [source] = await (await import("@cloze/data/node")).resolveSources([path(clusters)], { stdin });
  const [cluster, member, ...more] = clusterFields.split(",");
  if (source === undefined || cluster === undefined || member === undefined || more.length > 0)
    throw new ConfigError(
      "data prepare: expected two columns, the cluster's and the member's, got --cluster-fields " +
        `${clusterFields}. Write C,M`,
    );
  return { source, fields: [cluster, member], header };
}

/**
 * The split rule. `--valid`, `--test` and `--seed` belong to the split by content. Throws ConfigError if one of them is
 * given with the published split, which a preset may have too.
 */
async function splitRule({ options, given }: Pick<Asked, "options" | "given">): Promise<AnySplitRule> {
  const { PRESETS, PUBLISHED_SPLIT } = await import("@cloze/data/node");
  const { preset, split, seed, valid, test } = options;
  const fractions = ["valid", "test", "seed"].find((name) => given.has(name));
  const known = preset === undefined ? undefined : PRESETS[preset].split;
  const rule =
    split === "content" || (split === undefined && (known === undefined || !("heldOut" in known)))
      ? { seed, valid, test }
      : known !== undefined && "heldOut" in known
        ? known
        : PUBLISHED_SPLIT;
  if ("heldOut" in rule && fractions !== undefined)
    throw new ConfigError(
      `data prepare: expected no --${fractions} with the published split, whose rows and seeds are fixed. Leave ` +
        "it out, or pass --split content.",
    );
  return rule;
}

/** ` of 3 MiB`; nothing for pipes, whose size is not known. */
function sizeOf({ inputs }: ShardIndex): string {
  const size = inputs.reduce((sum, input) => sum + input.bytes, 0);
  return size === 0 ? "" : ` of ${bytes(size)}`;
}

/** The lines about prepared text, of at most 80 columns. */
function ofText(index: ShardIndex): readonly string[] {
  const { records, residues, empty, emptied, text, unknown } = index.counts;
  const frame = [index.special.start, index.special.end].filter((token) => token !== null).length;
  const tokens = Object.values(index.splits).reduce((n, split) => n + split.tokens - frame * split.documents, 0);
  if (text === undefined) return [];
  const left = [
    [empty, "empty"],
    [emptied, "without a token"],
    [text.duplicates, text.duplicates === 1 ? "duplicate" : "duplicates"],
    [text.tooShort, "too short"],
    [text.tooLong, "too long"],
  ] as const;
  const out = left.flatMap(([count, what]) => (count > 0 ? [`${integer(count)} ${what}`] : []));
  return [
    `read      ${counted(records, "document")}, ${counted(text.sentences, "sentence")}, ` +
      `${counted(residues, "character")}${sizeOf(index)}`,
    ...(out.length > 0 ? [`left out  ${out.join(", ")}`] : []),
    ...(text.unknownTokens > 0
      ? [
          `unknown   ${counted(text.unknownTokens, "token")}, ` +
            `${((100 * text.unknownTokens) / Math.max(1, tokens)).toFixed(2)} %`,
        ]
      : []),
    ...(Object.keys(unknown).length > 0 ? [`          ${characters(unknown)}`] : []),
    ...(text.invalid > 0 ? [`invalid   ${counted(text.invalid, "UTF-8 sequence")}, read as U+FFFD`] : []),
  ];
}

/** The six most frequent characters with their counts, and the number of the others. */
function characters(record: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(record).toSorted((a, b) => b[1] - a[1]);
  const shown = sorted
    .slice(0, 6)
    .map(([character, times]) => `${character} ${integer(times)}`)
    .join(", ");
  return sorted.length > 6 ? `${shown}, … ${sorted.length - 6} more` : shown;
}

/** Remarks on every difference between the sequences and the shards: nothing is left out or changed in silence. */
function problems({ empty, emptied, unknown, replaced, innerStops }: ShardCounts): string {
  const all = (record: Readonly<Record<string, number>>): string =>
    Object.entries(record)
      .map(([character, times]) => `${character} ${integer(times)}`)
      .join(", ");
  return [
    empty > 0 ? `; ${integer(empty)} without residues left out` : "",
    emptied > 0 ? `; ${integer(emptied)} of which nothing was left, left out` : "",
    Object.keys(unknown).length > 0 ? `; unknown: ${all(unknown)}` : "",
    innerStops === undefined ? "" : `; ${innerStopsIn(innerStops)}`,
    Object.keys(replaced).length > 0 ? `; replaced: ${all(replaced)}` : "",
  ].join("");
}

/** Rewrites an error message of the library: parameters get the names of their flags. */
function inOurWords(error: unknown): unknown {
  if (!ConfigError.isInstance(error) || !/^(prepareShards|prepareParts|filter|split): /.test(error.message))
    return error;
  const flags = error.message
    .replace(/^(prepareShards|prepareParts|filter|split): /, "data prepare: ")
    .replace("pass overwrite: true", "pass --overwrite")
    .replace("tokensPerShard", "--tokens-per-shard");
  return new ConfigError(
    flags
      .replace(
        "Use the split by content for small sets: { seed: 0, valid: 0.01 }",
        "Pass --split content for small sets",
      )
      .replace(/\b(min|max)(Length|Tokens)\b/g, (_, side: string, what: string) => `--${side}-${what.toLowerCase()}`),
    { cause: error },
  );
}
