/** A writer and a reader of a run's files in memory, in the layout of `cloze pretrain`'s checkpoints. */
import { encodeSafetensors, parseSafetensors, toFloat32, type TensorBytes } from "@cloze/checkpoint";
import { ConfigError, FormatError } from "@cloze/errors";
import type { HostTensor, HostTensors } from "@cloze/graph";
import { readWeights, type OpenedModel } from "@cloze/models/families";
import type { Tokenizer } from "@cloze/tokenizer";
import type { TrainerState } from "@cloze/trainer/step";
import type { Files, Side } from "../protocol.ts";
import {
  CONFIG_FILE,
  METRICS_FILE,
  metricsText,
  MODEL_FILE,
  OPTIMIZER_FILE,
  parseMetricsText,
  RUN_FILE,
  STATE_FILE,
  type RunFile,
  type TrainerRow,
} from "../run-files.ts";
import type { Model } from "./model.ts";
import type { SavedRun } from "./run.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const json = (value: unknown): Uint8Array => utf8(`${JSON.stringify(value, undefined, 2)}\n`);

function tensorBytes(tensors: HostTensors): readonly TensorBytes[] {
  return Object.entries(tensors).map(([name, { shape, data }]) => ({
    name,
    dtype: "F32",
    shape,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  }));
}

export function filesOf(
  { weights, optimizer, state, rows }: SavedRun,
  { source }: Model,
  tokenizer: Tokenizer,
  run: RunFile,
): Files {
  return {
    [CONFIG_FILE]: utf8(source.configText),
    [MODEL_FILE]: encodeSafetensors(tensorBytes({ ...weights, ...source.buffers })),
    ...Object.fromEntries(Object.entries(tokenizer.files()).map(([name, text]) => [name, utf8(text)])),
    [OPTIMIZER_FILE]: encodeSafetensors(tensorBytes(optimizer)),
    [STATE_FILE]: json(state),
    [METRICS_FILE]: utf8(metricsText(rows)),
    [RUN_FILE]: json(run),
  };
}

/** The text of a file. Throws: FormatError where the file is missing. */
export function textOf(files: Files, name: string): string {
  const bytes = files[name];
  if (bytes === undefined)
    throw new FormatError(
      name,
      "",
      `expected this file, got ${Object.keys(files).slice(0, 6).join(", ") || "none"}. Open a run that this page ` +
        "has saved.",
    );
  return new TextDecoder().decode(bytes);
}

/** The value of a JSON file. Throws: FormatError where the file is missing or is not JSON. */
export function jsonOf(files: Files, name: string): unknown {
  const text = textOf(files, name);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new FormatError(
      name,
      "",
      `expected JSON, got ${JSON.stringify(text.slice(0, 40))}. The file is damaged: save the run again.`,
      { cause },
    );
  }
}

export function runFileOf(files: Files): RunFile {
  const run = jsonOf(files, RUN_FILE) as Partial<RunFile> | null;
  if (run?.version !== 1 || run.settings === undefined || run.data === undefined)
    throw new FormatError(
      RUN_FILE,
      "",
      "expected a run of version 1 with settings and data. Open a run that this page has saved.",
    );
  return run as RunFile;
}

export async function tokenizerOf(files: Files, side: Side): Promise<Tokenizer> {
  const texts = Object.fromEntries(
    [
      "tokenizer.json",
      "vocab.txt",
      "tokenizer_config.json",
      "special_tokens_map.json",
      "added_tokens.json",
      "config.json",
    ].flatMap((name) => (name in files ? [[name, textOf(files, name)]] : [])),
  );
  if (side === "protein") return (await import("@cloze/tokenizer-protein")).proteinTokenizerFromFiles(texts);
  return (await import("@cloze/tokenizer-wordpiece")).wordPieceFromFiles(texts);
}

/** The saved state of a run. The code that resumes the run checks the optimizer's state. */
export async function savedRunOf(files: Files, { opened }: Model): Promise<SavedRun> {
  const state = jsonOf(files, STATE_FILE) as Partial<TrainerState> | null;
  if (state?.version !== 1 || !Number.isSafeInteger(state.step))
    throw new FormatError(
      STATE_FILE,
      "",
      "expected a trainer state of version 1. Open a run that this page has saved.",
    );
  const weights = await weightsOf(files, opened);
  const rows: readonly TrainerRow[] = METRICS_FILE in files ? parseMetricsText(textOf(files, METRICS_FILE)) : [];
  return { weights, optimizer: tensorsIn(files, OPTIMIZER_FILE), state: state as TrainerState, rows };
}

/** The weights of a checkpoint as f32, under the model's names. */
export async function weightsOf(files: Files, opened: OpenedModel): Promise<HostTensors> {
  const stored = tensorsIn(files, MODEL_FILE);
  const { weights } = await readWeights(
    opened,
    {
      shapes: new Map(Object.entries(stored).map(([name, { shape }]) => [name, shape])),
      read: async (name) => floats(stored[name], name),
    },
    MODEL_FILE,
  );
  return weights;
}

function floats(tensor: HostTensor | undefined, name: string): Float32Array<ArrayBuffer> {
  if (tensor === undefined) throw new ConfigError(`${name}: expected a tensor of this name, got none.`);
  return Float32Array.from(tensor.data);
}

function tensorsIn(files: Files, file: string): HostTensors {
  const bytes = files[file];
  if (bytes === undefined)
    throw new FormatError(file, "", "expected this file, got none. Open a run that this page has saved.");
  const parsed = parseSafetensors(bytes, file);
  return Object.fromEntries(
    [...parsed.entries].map(([name, { dtype, shape }]) => [
      name,
      { dtype: "f32", shape, data: toFloat32(dtype, parsed.read(name)) } satisfies HostTensor,
    ]),
  );
}
