/**
 * A reader and a writer for all tensors of a checkpoint in the Hub layout: one file, or several shards with an index.
 *
 *     model.safetensors   |   model.safetensors.index.json + model-00001-of-0000N.safetensors …
 */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { FormatError } from "@cloze/errors";
import type { TensorEntry } from "../dtype.ts";
import { layoutSafetensors, type EncodeOptions } from "../encode.ts";
import { entryOf } from "../header.ts";
import { encodeShardIndex, indexFile, modelFile, parseShardIndex, planShards } from "../shard-index.ts";
import { writeFileAtomic } from "./atomic.ts";
import { readText } from "./json-file.ts";
import { makeFolder } from "./make-folder.ts";
import { hasManifest, verifyDirectory } from "./manifest.ts";
import { openSafetensors, writeSafetensors, type SafetensorsFile, type TensorSource } from "./safetensors-file.ts";
import { StorageError, onStorage } from "./storage-error.ts";

export interface CheckpointTensors {
  /** Names of the files that hold the tensors. */
  readonly files: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, TensorEntry & { readonly file: string }>;
  read(name: string): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

export interface OpenOptions {
  /**
   * Check all checksums first, where the folder has a manifest. Default true. Pass false where `verifyDirectory` or
   * `latestComplete` has just checked them.
   */
  readonly verify?: boolean;
}

/**
 * Opens `model.safetensors`, or all shards of `model.safetensors.index.json`.
 *
 * Checks each file's header, and the manifest where there is one. The index and the shards must name the same tensors,
 * each tensor in one file. The folder must not hold both a `model.safetensors` and an index.
 * Throws: FormatError, StorageError.
 */
export async function openCheckpointTensors(
  dir: string,
  { verify = true }: OpenOptions = {},
): Promise<CheckpointTensors> {
  if (verify && (await hasManifest(dir))) await verifyDirectory(dir);
  const present = new Set(await onStorage(dir, "read this folder", () => readdir(dir)));
  const single = present.has(modelFile);
  if (single === present.has(indexFile)) {
    throw new FormatError(
      dir,
      "",
      `expected ${modelFile} or ${indexFile}, got ${single ? "both" : "neither"}. ` +
        (single
          ? "Remove the one that is not of this model."
          : "Check the path, or convert the checkpoint to safetensors."),
    );
  }
  const indexPath = join(dir, indexFile);
  const map = single ? undefined : parseShardIndex(await readText(indexPath), indexPath);
  const names = map === undefined ? [modelFile] : [...new Set(map.values())].sort();
  const missing = names.find((name) => !present.has(name));
  if (missing !== undefined)
    throw new FormatError(
      indexPath,
      "weight_map",
      `expected the file ${JSON.stringify(missing)} beside the index, got none. The download is incomplete: ` +
        "fetch that file.",
    );

  const files = new Map<string, SafetensorsFile>();
  const close = async (): Promise<void> => {
    for (const file of files.values()) await file.close();
  };
  try {
    for (const name of names) files.set(name, await openSafetensors(join(dir, name)));
    const entries = new Map<string, TensorEntry & { readonly file: string }>();
    for (const [file, opened] of files) {
      for (const [name, entry] of opened.entries) {
        const listed = map === undefined ? file : map.get(name);
        if (listed !== file)
          throw new FormatError(
            indexPath,
            `weight_map ${JSON.stringify(name)}`,
            `expected ${JSON.stringify(file)}, which holds this tensor, got ${JSON.stringify(listed ?? null)}. ` +
              "Index and files are not of one checkpoint: fetch them again.",
          );
        entries.set(name, { ...entry, file });
      }
    }
    for (const [name, file] of map ?? []) {
      if (!entries.has(name))
        throw new FormatError(
          join(dir, file),
          `tensor ${JSON.stringify(name)}`,
          `expected this tensor by ${indexFile}, got none. Index and files are not of one checkpoint: fetch them ` +
            "again.",
        );
    }
    return {
      files: names,
      metadata: mergeMetadata(dir, files),
      entries,
      close,
      read: async (name) => {
        const file = files.get(entryOf(entries, name, dir).file);
        if (file === undefined) throw new FormatError(dir, "", `expected an open file for ${JSON.stringify(name)}`);
        return file.read(name);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

export interface ShardOptions extends EncodeOptions {
  /** Limit for the tensors' bytes in one file, without the header. Default 5e9. A larger tensor gets its own file. */
  readonly maxShardBytes?: number;
}

/**
 * Writes tensors into a folder without a model, as one file or as shards with an index. Returns the names of the files.
 * Each file is written atomically, but the set of files is not: call this inside `writeDirectoryAtomic`.
 */
export async function writeSharded(
  dir: string,
  tensors: Iterable<TensorSource> | AsyncIterable<TensorSource>,
  { maxShardBytes = 5e9, ...options }: ShardOptions = {},
): Promise<readonly string[]> {
  const specs: TensorSource[] = [];
  for await (const tensor of tensors) specs.push(tensor);
  const shards = planShards(specs, maxShardBytes);
  layoutSafetensors(specs, options); // refuses a repeated name (also across shards) before the first write
  await onStorage(dir, "write into this folder", async () => {
    await makeFolder(resolve(dir));
    const old = (await readdir(dir)).find(
      (file) => file === modelFile || file === indexFile || /^model-[0-9]+-of-[0-9]+\.safetensors$/.test(file),
    );
    if (old !== undefined)
      throw new StorageError(
        join(dir, old),
        "EEXIST",
        "expected a folder without a model, got this file. Write into a new folder: writeDirectoryAtomic gives one.",
      );
  });
  for (const shard of shards) await writeSafetensors(join(dir, shard.file), shard.tensors, options);
  const files = shards.map((shard) => shard.file);
  if (shards.length === 1) return files;
  await writeFileAtomic(join(dir, indexFile), encodeShardIndex(shards));
  return [...files, indexFile];
}

function mergeMetadata(dir: string, files: ReadonlyMap<string, SafetensorsFile>): Readonly<Record<string, string>> {
  const merged: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [file, { metadata }] of files) {
    for (const [key, value] of Object.entries(metadata)) {
      const before = merged[key];
      if (before !== undefined && before !== value)
        throw new FormatError(
          join(dir, file),
          `__metadata__ ${JSON.stringify(key)}`,
          `expected ${JSON.stringify(before)} as in the other files, got ${JSON.stringify(value)}. The files are ` +
            "not of one checkpoint: fetch them again.",
        );
      merged[key] = value;
    }
  }
  return merged;
}
