/**
 * A checkpoint folder: the Hub layout (config.json, model.safetensors, tokenizer files), which Python opens, plus the
 * files for resuming (optimizer.safetensors, trainer_state.json). A checkpoint is written whole or not at all.
 */
import { join } from "node:path";
import {
  latestComplete,
  openCheckpointTensors,
  readJson,
  readSafetensors,
  stepDirectory,
  writeDirectoryAtomic,
  writeJson,
  writeSafetensors,
  writeSharded,
  writeFileAtomic,
  type TensorSource,
} from "@cloze/checkpoint/node";
import { toFloat32 } from "@cloze/checkpoint";
import { ConfigError, FormatError } from "@cloze/errors";
import { sameShape, showShape, type HostTensor, type HostTensors, type Shape } from "@cloze/graph";
import type { LossScale } from "@cloze/optim";
import type { AnyModel } from "@cloze/objective";
import { AVERAGES_FOLDER } from "./averages.ts";
import type { ModelSource, Weights } from "./model-source.ts";
import type { TrainerState } from "./trainer-state.ts";

export interface CheckpointContents {
  readonly source: ModelSource<AnyModel>;
  readonly weights: Weights;
  /** Averages of the weights: a checkpoint of the same model in the folder `ema`. */
  readonly averages?: Weights;
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  readonly optimizer?: HostTensors;
  readonly state?: TrainerState;
}

const bytesOf = ({ data }: HostTensor): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const DTYPES = { f32: "F32", f16: "F16", bf16: "BF16", i32: "I32", u32: "U32", bool: "BOOL" } as const;

export const tensorSources = (tensors: HostTensors): TensorSource[] =>
  Object.entries(tensors).map(([name, t]) => ({ name, dtype: DTYPES[t.dtype], shape: t.shape, data: bytesOf(t) }));

/** The folder of all checkpoints of a run. */
export const checkpointsFolder = (run: string): string => join(run, "checkpoints");

/** Writes `dir` in one step. Throws StorageError; an existing folder then keeps its contents. */
export async function saveCheckpoint(dir: string, contents: CheckpointContents): Promise<void> {
  await writeDirectoryAtomic(dir, async (temporary) => {
    await writeModel(temporary, contents, contents.weights);
    if (contents.averages) await writeModel(join(temporary, AVERAGES_FOLDER), contents, contents.averages);
    if (contents.optimizer)
      await writeSafetensors(join(temporary, "optimizer.safetensors"), tensorSources(contents.optimizer));
    if (contents.state) await writeJson(join(temporary, "trainer_state.json"), contents.state);
  });
}

/** Writes the files that Python opens. */
async function writeModel(
  dir: string,
  { source, tokenizerFiles }: CheckpointContents,
  weights: Weights,
): Promise<void> {
  await writeSharded(dir, tensorSources({ ...weights, ...source.buffers }));
  await writeFileAtomic(join(dir, "config.json"), source.configText);
  for (const [name, text] of Object.entries(tokenizerFiles)) await writeFileAtomic(join(dir, name), text);
}

/** Writes the checkpoint of a step of a run and returns its folder. */
export async function saveStep(run: string, step: number, contents: CheckpointContents): Promise<string> {
  const dir = stepDirectory(checkpointsFolder(run), step);
  await saveCheckpoint(dir, contents);
  return dir;
}

/** The newest complete checkpoint of a run folder, or undefined. */
export async function newestCheckpoint(run: string): Promise<string | undefined> {
  return (await latestComplete(checkpointsFolder(run)))?.path;
}

/**
 * Reads the weights of a checkpoint that a run wrote, one tensor for each of the model's `parameters`. `buffers`: names
 * of further tensors that the file may hold.
 *
 * Throws FormatError that names the first tensor which is missing, has another shape, or is unknown to the model.
 */
export async function loadWeights(
  dir: string,
  parameters: ReadonlyMap<string, { readonly shape: Shape }>,
  buffers: Iterable<string> = [],
): Promise<Weights> {
  const file = await openCheckpointTensors(dir);
  try {
    const weights: Record<string, HostTensor> = {};
    for (const [name, { shape }] of parameters) {
      const entry = file.entries.get(name);
      if (entry === undefined)
        throw new FormatError(
          dir,
          `tensor "${name}"`,
          `expected ${showShape(shape)}, got no such tensor. Is this a checkpoint of another model? It holds: ` +
            `${[...file.entries.keys()].slice(0, 5).join(", ")}, ….`,
        );
      if (!sameShape(entry.shape, shape))
        throw new FormatError(
          dir,
          `tensor "${name}"`,
          `expected ${showShape(shape)}, got ${showShape(entry.shape)}. Check that config.json belongs to these ` +
            "tensors.",
        );
      if (!["F32", "F16", "BF16", "F64"].includes(entry.dtype))
        throw new FormatError(dir, `tensor "${name}"`, `expected floats, got ${entry.dtype}. Are they quantised?`);
      weights[name] = { dtype: "f32", shape, data: toFloat32(entry.dtype, await file.read(name)) };
    }
    const beside = new Set(buffers);
    const unknown = [...file.entries.keys()].find((name) => !parameters.has(name) && !beside.has(name));
    if (unknown !== undefined)
      throw new FormatError(
        dir,
        `tensor "${unknown}"`,
        "the model has no such parameter. Is this a checkpoint of another model?",
      );
    return weights;
  } finally {
    await file.close();
  }
}

/**
 * Reads the optimizer state and the trainer state of a checkpoint that a run wrote. Throws FormatError if a file is not
 * valid.
 */
export async function loadTrainerState(
  dir: string,
): Promise<{ readonly optimizer: HostTensors; readonly state: TrainerState }> {
  const path = join(dir, "trainer_state.json");
  const json = (await readJson(path)) as Partial<TrainerState> | null;
  if (
    typeof json !== "object" ||
    json === null ||
    json.version !== 1 ||
    !Number.isSafeInteger(json.step) ||
    !Number.isSafeInteger(json.tokens)
  ) {
    throw new FormatError(
      path,
      "",
      `expected a trainer state of version 1 with step and tokens, got ${JSON.stringify(json)?.slice(0, 80)}. To ` +
        "start from these weights alone, use them as --from.",
    );
  }
  if (json.lossScale !== undefined && !isLossScales(json.lossScale))
    throw new FormatError(
      path,
      "lossScale",
      `expected the scales of two steps, got ${JSON.stringify(json.lossScale).slice(0, 80)}. Was the file ` +
        "edited? Resume from the checkpoint before it.",
    );
  const { draws = "part" } = json;
  if (draws !== "part" && draws !== "row")
    throw new FormatError(
      path,
      "draws",
      `expected "row" or "part", got ${JSON.stringify(draws)}. Was it saved by a newer version of cloze? Update, or ` +
        "use its weights as --from.",
    );
  const { tensors } = await readSafetensors(join(dir, "optimizer.safetensors"));
  const optimizer: Record<string, HostTensor> = {};
  for (const [name, { dtype, shape, data }] of tensors)
    optimizer[name] = { dtype: "f32", shape, data: toFloat32(dtype, data) };
  return { optimizer, state: { ...(json as TrainerState), draws } };
}

const isLossScales = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every(
    (s: Partial<LossScale> | null) =>
      typeof s?.scale === "number" &&
      s.scale > 0 &&
      Number.isSafeInteger(s.goodSteps) &&
      Number.isSafeInteger(s.skippedSteps),
  );

/** Throws ConfigError if a setting that changes the numbers differs from the setting of the saved run. */
export function checkResumable(
  state: TrainerState,
  given: Pick<TrainerState, "seed" | "objective" | "optimizer" | "compute">,
  dir: string,
): void {
  const was = { compute: "f32", ...state };
  const now = { compute: "f32", ...given };
  for (const key of ["seed", "objective", "optimizer", "compute"] as const) {
    if (was[key] !== now[key])
      throw new ConfigError(
        `resume from ${dir}: it was trained with ${key} ${was[key]}, this run says ${now[key]}. Use the same, or ` +
          "start a new run with --from.",
      );
  }
}
