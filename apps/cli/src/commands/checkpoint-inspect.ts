/**
 * The command `cloze checkpoint inspect`: shows the contents of a checkpoint folder or safetensors file, and whether it
 * is complete. It reads the headers of tensor files only; the comparison of checksums (`--no-verify` leaves it out)
 * reads each file whole.
 */
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { TensorEntry } from "@cloze/checkpoint";
import { ConfigError } from "@cloze/errors";
import { command, type Command } from "../command.ts";
import { whatInstead } from "../missing-path.ts";
import { bytes, columns, counted, integer } from "../output.ts";

interface Tensors {
  readonly files: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, TensorEntry & { readonly file?: string }>;
}

type Json = Readonly<Record<string, unknown>>;

export const checkpointInspect: Command = command({
  arguments: {
    name: "PATH",
    help: "a checkpoint folder, a run folder (its newest checkpoint), or a .safetensors file",
    min: 1,
    max: 1,
  },
  options: {
    tensors: { kind: "boolean", help: "list every tensor; otherwise the first and last ten" },
    verify: { kind: "boolean", default: true, help: "do not read the files again to compare their checksums" },
  },
  examples: [
    { does: "A folder", line: "cloze checkpoint inspect runs/first" },
    { does: "One file, every tensor", line: "cloze checkpoint inspect model.safetensors --tensors" },
  ],
  async run({ args: [given = ""], options, path }) {
    const folderOrFile = path(given);
    const found = await stat(folderOrFile).catch(() => undefined);
    if (found === undefined)
      throw new ConfigError(
        `checkpoint inspect: expected a checkpoint at ${given}, found nothing there.${await whatInstead(given, path)}`,
      );
    if (!found.isDirectory()) {
      const { openSafetensors } = await import("@cloze/checkpoint/node");
      const file = await openSafetensors(folderOrFile);
      await file.close();
      const tensors: Tensors = { files: [basename(folderOrFile)], metadata: file.metadata, entries: file.entries };
      const integrity = "header consistent with the file's size";
      return {
        json: {
          path: folderOrFile,
          kind: "file",
          ...summary(tensors),
          integrity: { manifest: false, verified: false },
        },
        text: [given, ...table(tensors, [["integrity", integrity]]), ...listing(tensors, options.tensors)],
      };
    }
    return inspectFolder(await checkpointIn(folderOrFile), options.verify, options.tensors);
  },
});

/**
 * The newest complete checkpoint of a run folder; any other folder is returned as it is. Throws ConfigError for a run
 * without a complete checkpoint.
 */
async function checkpointIn(folder: string): Promise<string> {
  const names = new Set(await readdir(folder));
  if (names.has("model.safetensors") || names.has("model.safetensors.index.json") || !names.has("checkpoints"))
    return folder;
  const { latestComplete } = await import("@cloze/checkpoint/node");
  const latest = await latestComplete(join(folder, "checkpoints"));
  if (latest === undefined)
    throw new ConfigError(
      `${folder}: expected a checkpoint in this run, got none that is complete. It may not have saved yet.`,
    );
  return latest.path;
}

async function inspectFolder(
  dir: string,
  verify: boolean,
  all: boolean,
): Promise<{ readonly json: Json; readonly text: readonly string[] }> {
  const { manifestFile, openCheckpointTensors, openSafetensors, readJson, verifyDirectory } =
    await import("@cloze/checkpoint/node");
  const names = new Set(await readdir(dir));
  const manifest = names.has(manifestFile);
  const verified = manifest && verify ? (await verifyDirectory(dir)).length : undefined;
  const file = await openCheckpointTensors(dir, { verify: false });
  await file.close();
  const object = async (name: string): Promise<Json | undefined> =>
    names.has(name) ? ((await readJson(join(dir, name))) as Json) : undefined;
  const config = await object("config.json");
  const state = await object("trainer_state.json");
  let optimizer: number | undefined;
  if (names.has("optimizer.safetensors")) {
    const saved = await openSafetensors(join(dir, "optimizer.safetensors"));
    await saved.close();
    optimizer = saved.entries.size;
  }
  const tokenizer = ["tokenizer.json", "vocab.txt", "vocab.json"].some((name) => names.has(name))
    ? await tokenizerIn(dir)
    : undefined;
  const integrity =
    verified !== undefined
      ? `complete: ${counted(verified, "file")} match their checksums`
      : manifest
        ? "has a manifest; checksums not compared"
        : `no ${manifestFile}, so nothing to compare with; headers are consistent`;
  const rows: [string, string][] = [
    ["model", config === undefined ? "no config.json" : configSummary(config)],
    ...(config === undefined ? [] : await readingOf(config)),
    [
      "tokenizer",
      tokenizer === undefined
        ? "no tokenizer files"
        : "error" in tokenizer
          ? `cannot be read: ${tokenizer.error}`
          : `${tokenizer.name}, ${tokenizer.vocabularySize} tokens`,
    ],
    ["training", state === undefined ? "no trainer state: weights only" : stateSummary(state, optimizer)],
    ["integrity", integrity],
  ];
  return {
    json: {
      path: dir,
      kind: "folder",
      ...summary(file),
      config: config ?? null,
      tokenizer: tokenizer ?? null,
      trainerState: state ?? null,
      optimizerTensors: optimizer ?? null,
      integrity: { manifest, verified: verified !== undefined, ...(verified === undefined ? {} : { files: verified }) },
    },
    text: [dir, ...table(file, rows), ...listing(file, all)],
  };
}

/** What the reader of this model says of its config.json: a refusal, or keys that nobody reads. */
async function readingOf(config: Json): Promise<readonly [string, string][]> {
  const { openModel } = await import("@cloze/models/families");
  try {
    const { unknownKeys } = await openModel(config);
    return unknownKeys.length === 0
      ? []
      : [["not read", `keys of config.json that no model here has: ${unknownKeys.join(", ")}`]];
  } catch (error) {
    // A model that is not built here is looked at too.
    return [["not built", error instanceof Error ? error.message : String(error)]];
  }
}

type TokenizerSummary =
  { readonly name: string; readonly vocabularySize: number; readonly hash: string } | { readonly error: string };

async function tokenizerIn(dir: string): Promise<TokenizerSummary> {
  const { tokenizerOfFolder } = await import("../tokenizers.ts");
  try {
    const { name, vocabulary, hash } = await tokenizerOfFolder(dir);
    return { name, vocabularySize: vocabulary.length, hash };
  } catch (error) {
    // A tokenizer that cannot be read must not keep anybody from looking at the weights.
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

const size = ({ shape }: TensorEntry): number => shape.reduce((product, length) => product * length, 1);
const shown = ({ shape }: TensorEntry): string => `[${shape.join(", ")}]`;

function dtypesOf({
  entries,
}: Tensors): Readonly<
  Record<string, { readonly tensors: number; readonly parameters: number; readonly bytes: number }>
> {
  const dtypes: Record<string, { tensors: number; parameters: number; bytes: number }> = {};
  for (const entry of entries.values()) {
    const sum = (dtypes[entry.dtype] ??= { tensors: 0, parameters: 0, bytes: 0 });
    sum.tensors++;
    sum.parameters += size(entry);
    sum.bytes += entry.byteLength;
  }
  return dtypes;
}

const total = (tensors: Tensors, key: "parameters" | "bytes"): number =>
  Object.values(dtypesOf(tensors)).reduce((sum, each) => sum + each[key], 0);

function summary(tensors: Tensors): Json {
  const { files, metadata, entries } = tensors;
  return {
    files,
    metadata: { ...metadata },
    parameters: total(tensors, "parameters"),
    bytes: total(tensors, "bytes"),
    dtypes: dtypesOf(tensors),
    tensors: [...entries].map(([name, { dtype, shape, file }]) => ({
      name,
      dtype,
      shape,
      ...(file === undefined ? {} : { file }),
    })),
  };
}

function table(tensors: Tensors, rows: readonly (readonly [string, string])[]): readonly string[] {
  const dtypes = Object.entries(dtypesOf(tensors))
    .map(([dtype, { tensors: count }]) => `${dtype} x ${count}`)
    .join(", ");
  const metadata = Object.entries(tensors.metadata)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");
  const first: readonly (readonly [string, string])[] = [
    [
      "parameters",
      `${integer(total(tensors, "parameters"))} in ${counted(tensors.entries.size, "tensor")} ` +
        `(${dtypes || "none"}), ${bytes(total(tensors, "bytes"))} in ${counted(tensors.files.length, "file")}`,
    ],
    ...(metadata === "" ? [] : [["metadata", metadata] as const]),
  ];
  return columns([...first, ...rows].map(([name, value]) => [`  ${name}`, value]));
}

const SHOWN = 10;

function listing({ entries }: Tensors, all: boolean): readonly string[] {
  const rows = columns(
    [...entries].map(([name, entry]) => [`  ${name}`, entry.dtype, shown(entry), integer(size(entry))]),
    [3],
  );
  if (rows.length === 0) return [];
  if (all || rows.length <= 2 * SHOWN) return ["", ...rows];
  return [
    "",
    ...rows.slice(0, SHOWN),
    `  … ${integer(rows.length - 2 * SHOWN)} more: --tensors`,
    ...rows.slice(-SHOWN),
  ];
}

/** Upstream keys of config.json, each with this project's word for it. */
const CONFIG_KEYS: readonly (readonly [string, string])[] = [
  ["num_hidden_layers", "layers"],
  ["hidden_size", "hidden"],
  ["num_attention_heads", "heads"],
  ["intermediate_size", "intermediate"],
  ["vocab_size", "vocabulary"],
  ["max_position_embeddings", "positions"],
];

function configSummary(config: Json): string {
  const architectures = config["architectures"];
  const name = Array.isArray(architectures) ? architectures.join(", ") : config["model_type"];
  const parts = CONFIG_KEYS.flatMap(([key, word]) =>
    typeof config[key] === "number" ? [`${word} ${integer(config[key])}`] : [],
  );
  return [typeof name === "string" ? name : "unnamed", ...parts].join(", ");
}

function stateSummary(state: Json, optimizer: number | undefined): string {
  const parts = Object.entries(state).filter(
    ([key, value]) => key !== "version" && (typeof value === "number" || typeof value === "string"),
  );
  const said = parts.map(
    ([key, value]) =>
      `${key} ` +
      (typeof value !== "number" ? String(value) : Number.isInteger(value) ? integer(value) : value.toPrecision(5)),
  );
  return [...said, optimizer === undefined ? "no optimizer state" : `optimizer ${counted(optimizer, "tensor")}`].join(
    ", ",
  );
}
