/** The tensors of any checkpoint that cloze can convert, by name. One tensor is read at a time. */
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { ConfigError, UnsupportedError } from "@cloze/errors";
import type { SafetensorsDType } from "../../dtype.ts";
import { indexFile, modelFile } from "../../shard-index.ts";
import { openCheckpointTensors } from "../checkpoint-tensors.ts";
import { openSafetensors } from "../safetensors-file.ts";
import { openNpz } from "./npz.ts";
import { openTfCheckpoint } from "./tf-checkpoint.ts";

export interface TensorSet {
  /** Path of the file or folder. */
  readonly source: string;
  readonly entries: ReadonlyMap<string, { readonly dtype: SafetensorsDType; readonly shape: readonly number[] }>;
  /** Names of entries in the files that are not tensors of numbers. */
  readonly others: readonly string[];
  read(name: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a folder with a checkpoint, a single .safetensors, an .npz, or a TensorFlow checkpoint (path with or without
 * `.index`). Throws: UnsupportedError for pickles and HDF5, with a way to convert them; ConfigError where there is no
 * checkpoint, or more than one; FormatError, StorageError.
 */
export async function openTensorSet(path: string): Promise<TensorSet> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) {
    const names = (await readdir(path)).sort();
    if (names.includes(modelFile) || names.includes(indexFile))
      return { ...(await openCheckpointTensors(path)), source: path, others: [] };
    const one = (kind: RegExp): readonly string[] => names.filter((name) => kind.test(name));
    for (const kind of [/\.safetensors$/, /\.index$/, /\.npz$/]) {
      const files = one(kind);
      if (files.length > 1)
        throw new ConfigError(`${path}: expected one checkpoint, got ${files.join(", ")}. Name the file.`);
      if (files[0] !== undefined) return openTensorSet(join(path, files[0]));
    }
    throw refusal(
      path,
      names.find((name) => pickled.test(name) || name.endsWith(".h5")),
    );
  }
  if (found === undefined && (await stat(`${path}.index`).catch(() => undefined)) !== undefined)
    return openTfCheckpoint(path);
  if (found === undefined)
    throw new ConfigError(`${path}: expected a checkpoint, found nothing there. Check the path.`);
  if (path.endsWith(".safetensors")) return { ...(await openSafetensors(path)), source: path, others: [] };
  if (path.endsWith(".npz")) return openNpz(path);
  if (path.endsWith(".index")) return openTfCheckpoint(path.slice(0, -".index".length));
  throw refusal(path, basename(path));
}

const pickled = /\.(?:bin|pt|pth|ckpt|pkl)$/;

function refusal(path: string, name: string | undefined): UnsupportedError | ConfigError {
  if (name === undefined)
    return new ConfigError(
      `${path}: expected ${modelFile}, a .safetensors, an .npz or a TensorFlow .index, got none of these. Name ` +
        "the file of the checkpoint.",
    );
  if (name.endsWith(".h5"))
    return new UnsupportedError(
      `${path}: expected tensors, got ${name}, HDF5. Convert it in Python: TFAutoModel of transformers 4 with ` +
        "save_pretrained(DIR, safe_serialization=True).",
    );
  if (!pickled.test(name))
    return new UnsupportedError(
      `${path}: expected a .safetensors, an .npz or a TensorFlow .index, got ${name}. Name another file.`,
    );
  return new UnsupportedError(
    `${path}: expected tensors, got ${name}, a pickle, which can run code when it is read. Convert it once in ` +
      "Python: " +
      `python -c "import torch, safetensors.torch as s; d = torch.load('${name}', map_location='cpu', ` +
      "weights_only=False); d = d.get('model', d); s.save_file({k: v.contiguous().clone() for k, v in d.items() " +
      `if torch.is_tensor(v)}, 'out.safetensors')"`,
  );
}
