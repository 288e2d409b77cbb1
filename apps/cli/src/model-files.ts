/**
 * Loader of a checkpoint folder, as a model that can run. config.json names the family, and the family reads its
 * tensors (`openCheckpoint` of @cloze/models). This file holds only the access to files.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { toFloat32 } from "@cloze/checkpoint";
import { openCheckpointTensors, readJson, type CheckpointTensors } from "@cloze/checkpoint/node";
import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import type { HostTensors } from "@cloze/graph";
import type { Head, OpenedModel, StoredTensors } from "@cloze/models/families";

export interface LoadedModel extends OpenedModel {
  readonly dir: string;
  readonly weights: HostTensors;
  /** Heads whose weights are all in the checkpoint. */
  readonly heads: readonly Head[];
  readonly configJson: Readonly<Record<string, unknown>>;
}

/**
 * Changes to config.json, for keys that fit the weights with any value, such as dropout. `where` names the option that
 * gave them, for messages.
 */
export interface ConfigChange {
  readonly options: Readonly<Record<string, unknown>>;
  readonly where: string;
}

/**
 * Loads a checkpoint folder. Throws ConfigError if the folder holds no checkpoint, and for keys that the family does
 * not read.
 */
export async function loadModel(dir: string, change?: ConfigChange): Promise<LoadedModel> {
  const { changedConfig, familyOf, openCheckpoint } = await import("@cloze/models/families");
  const file = join(dir, "config.json");
  const stored = await readConfig(dir, file);
  await familyOf(stored, file);
  const json =
    change === undefined ? stored : await changedConfig(stored, change.options, { file, where: change.where });
  await expectSafetensors(dir);
  const tensors = await openCheckpointTensors(dir);
  try {
    return { dir, configJson: json, ...(await openCheckpoint(json, storedTensors(tensors), dir, { file })) };
  } finally {
    await tensors.close();
  }
}

function storedTensors(tensors: CheckpointTensors): StoredTensors {
  const entries = [...tensors.entries];
  return {
    shapes: new Map(entries.map(([name, { shape }]) => [name, shape])),
    dtypes: new Map(entries.map(([name, { dtype }]) => [name, dtype])),
    async read(name) {
      const entry = tensors.entries.get(name);
      if (entry === undefined) throw new FormatError(name, "", "expected a tensor of this name, got none.");
      return toFloat32(entry.dtype, await tensors.read(name));
    },
  };
}

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;

/** The content of the config.json `file` of a checkpoint folder. Throws ConfigError if there is none. */
export async function readConfig(dir: string, file: string): Promise<Readonly<Record<string, unknown>>> {
  const found = await stat(dir).catch(() => undefined);
  if (found === undefined)
    throw new ConfigError(`${dir}: expected a checkpoint folder, found nothing there. Check the path.`);
  if (!found.isDirectory())
    throw new ConfigError(
      `${dir}: expected a checkpoint folder, got a file. Name the folder that holds config.json and model.safetensors.`,
    );
  if (!(await exists(file)))
    throw new ConfigError(
      `${dir}: expected a checkpoint folder, got one without config.json. It holds the model's sizes: copy it ` +
        "beside the weights.",
    );
  const json = await readJson(file);
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new FormatError(file, "", `expected an object, got ${JSON.stringify(json).slice(0, 40)}.`);
  return json as Readonly<Record<string, unknown>>;
}

/**
 * Throws if the folder has no model.safetensors. Pickled weights are never read, because reading a pickle can run code.
 */
async function expectSafetensors(dir: string): Promise<void> {
  if ((await exists(join(dir, "model.safetensors"))) || (await exists(join(dir, "model.safetensors.index.json"))))
    return;
  for (const name of ["pytorch_model.bin", "pytorch_model.bin.index.json"]) {
    if (!(await exists(join(dir, name)))) continue;
    throw new UnsupportedError(
      `${dir}: expected model.safetensors, got ${name}, a pickle, which can run code. Convert it in Python: ` +
        "AutoModelForMaskedLM.from_pretrained(DIR).save_pretrained(DIR)",
    );
  }
  throw new ConfigError(`${dir}: expected model.safetensors, got none. Is the download complete?`);
}
