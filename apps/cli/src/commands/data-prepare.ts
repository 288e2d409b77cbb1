/** `cloze data prepare`: FASTA to token shards, which training reads without parsing anything again. */
import { ConfigError } from "@cloze/errors";
import { command, type Command } from "../command.ts";
import { bytes, columns, counted, integer } from "../output.ts";
import { TOKENIZER_NAMES, tokenizerFrom } from "../tokenizers.ts";

export const dataPrepare: Command = command({
  arguments: { name: "FASTA…", help: "files to read, plain or gzip", min: 1, max: Infinity },
  options: {
    out: { kind: "string", value: "DIR", required: true, help: "folder for the shards; made if need be" },
    name: { kind: "string", value: "NAME", default: "tokens", help: "files are NAME_train_000000.bin, …, and the index NAME.json" },
    tokenizer: { kind: "string", value: "NAME|DIR", default: "esm2", checkpoint: { unless: TOKENIZER_NAMES }, help: `${TOKENIZER_NAMES.join(", ")}, or a checkpoint folder` },
    valid: { kind: "number", value: "SHARE", default: 0.005, min: 0, max: 1, help: "share of the sequences for validation, chosen by content" },
    test: { kind: "number", value: "SHARE", default: 0, min: 0, max: 1, help: "share of the sequences for testing" },
    seed: { kind: "integer", default: 0, min: 0, help: "another seed, another split" },
    tokensPerShard: { kind: "count", default: 1e8, min: 1, help: "tokens in one file" },
    maxRecord: { kind: "count", min: 1, help: "refuse sequences longer than this" },
    overwrite: { kind: "boolean", help: "replace shards made from other inputs or settings" },
  },
  examples: [
    { does: "Two files, one sequence in a hundred held out", line: "cloze data prepare a.fasta b.fasta.gz --out shards --valid 0.01" },
  ],
  notes: ["Called again with the same inputs and settings, it keeps the shards that are there."],
  async run({ args, options, path, status }) {
    const { prepareShards } = await import("@cloze/data/node");
    const { name, overwrite, seed, valid, test, tokensPerShard, maxRecord } = options, started = performance.now();
    const tokenizer = await tokenizerFrom(options.tokenizer, path), line = status();
    const prepared = await prepareShards({
      files: args.map(path), tokenizer, out: path(options.out), name, overwrite, tokensPerShard,
      split: { seed, valid, test },
      ...(maxRecord === undefined ? {} : { maxRecord }),
      onProgress: ({ file, bytesRead, bytesTotal, records }) => line.update(bytesRead / Math.max(1, bytesTotal), `${file.split(/[\\/]/).at(-1) ?? file}  ${counted(records, "sequence")}`),
    }).catch((error: unknown) => {
      throw inOurWords(error);
    }).finally(() => line.finish());
    const { index, reused } = prepared, { counts } = index, seconds = (performance.now() - started) / 1000;
    return {
      json: { path: prepared.path, reused, tokenizer: { name: index.tokenizer.name, hash: index.tokenizer.hash }, dtype: index.dtype, splits: index.splits, counts, seconds },
      text: [
        ...columns([["split", "sequences", "tokens", "shards"], ...Object.entries(index.splits).map(([split, { documents, tokens, shards }]) => [split, integer(documents), integer(tokens), integer(shards.length)])], [1, 2, 3]),
        `${counted(counts.records, "record")}, ${counted(counts.residues, "residue")} of ${bytes(index.inputs.reduce((sum, input) => sum + input.bytes, 0))}${problems(counts)}`,
        `${prepared.path}${reused ? " (was there already)" : `, ${seconds.toFixed(1)} s`}`,
      ],
    };
  },
});

interface Counts {
  readonly empty: number;
  readonly emptied: number;
  readonly unknown: Readonly<Record<string, number>>;
  readonly replaced: Readonly<Record<string, number>>;
}

/** What was not stored as it was written; nothing is left out in silence. */
function problems({ empty, emptied, unknown, replaced }: Counts): string {
  const characters = (record: Readonly<Record<string, number>>): string => Object.entries(record).map(([character, times]) => `${character} ${integer(times)}`).join(", ");
  return [
    empty > 0 ? `; ${integer(empty)} without residues left out` : "",
    emptied > 0 ? `; ${integer(emptied)} of which nothing was left, left out` : "",
    Object.keys(unknown).length > 0 ? `; unknown: ${characters(unknown)}` : "",
    Object.keys(replaced).length > 0 ? `; replaced: ${characters(replaced)}` : "",
  ].join("");
}

/** The function's parameters under the names they have on the command line. */
function inOurWords(error: unknown): unknown {
  if (!ConfigError.isInstance(error) || !error.message.startsWith("prepareShards: ")) return error;
  const message = error.message.replace("prepareShards: ", "data prepare: ").replace("pass overwrite: true", "pass --overwrite").replace("tokensPerShard", "--tokens-per-shard");
  return new ConfigError(message, { cause: error });
}
