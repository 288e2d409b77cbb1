/**
 * The manifest of a complete checkpoint: `cloze-manifest.json`, with the size and the SHA-256 of every other file. It
 * is written last.
 *
 *     {
 *       "format": "cloze-manifest", "version": 1, "digest": sha256(files as JSON),
 *       "files": [{ "path", "bytes", "sha256" }]
 *     }
 *
 * A folder without a manifest is not complete. The digest covers the list itself, so the check finds a flipped bit in
 * any listed file and in the list. It protects against damage, not against forgery. The folder may hold files that are
 * not listed (a README), but not a second model. Price of the check: one more read of the checkpoint, about a second
 * per GB.
 */
import { createHash } from "node:crypto";
import { open, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, FormatError } from "@cloze/errors";
import { decodeUtf8, parseJson, type JsonValue } from "../json.ts";
import { indexFile, modelFile } from "../shard-index.ts";
import { ignoring, onStorage } from "./storage-error.ts";

export const manifestFile = "cloze-manifest.json";

export interface ManifestEntry {
  /** Path relative to the folder, with `/` as the separator. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Hashes all files below a folder and writes the manifest. */
export async function writeManifest(dir: string): Promise<readonly ManifestEntry[]> {
  const files: ManifestEntry[] = [];
  for (const path of await listFiles(dir))
    if (path !== manifestFile) files.push({ path, ...(await hashFile(join(dir, path))) });
  const manifest = { format: "cloze-manifest", version: 1, digest: digestOf(files), files };
  await writeFile(join(dir, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`);
  return files;
}

/**
 * Checks that a checkpoint folder is complete and that every listed file has its original bytes.
 * Throws: FormatError with the first missing or damaged file.
 */
export async function verifyDirectory(dir: string): Promise<readonly ManifestEntry[]> {
  return onStorage(dir, "verify the checkpoint", async () => {
    const files = await readManifest(dir);
    const listed = new Set(files.map((file) => file.path));
    for (const { path, bytes, sha256 } of files) {
      const full = join(dir, path);
      const found = (await isFile(full)) ? await hashFile(full) : undefined;
      if (found === undefined)
        throw new FormatError(
          full,
          "",
          `expected a file of ${bytes} bytes, got none. The checkpoint is damaged: use an earlier one.`,
        );
      if (found.bytes !== bytes)
        throw new FormatError(
          full,
          `byte ${Math.min(found.bytes, bytes)}`,
          `expected ${bytes} bytes, got ${found.bytes}. The checkpoint is damaged: use an earlier one.`,
        );
      if (found.sha256 !== sha256)
        throw new FormatError(
          full,
          "",
          `expected the SHA-256 ${sha256}, got ${found.sha256}. The checkpoint is damaged: use an earlier one.`,
        );
    }
    for (const path of [modelFile, indexFile]) {
      if (!listed.has(path) && (await isFile(join(dir, path))))
        throw new FormatError(
          join(dir, path),
          "",
          `expected no model beside the one that ${manifestFile} lists, got this file. Move it to a folder of its own.`,
        );
    }
    return files;
  });
}

/** True where `verifyDirectory` passes. Any error gives false. */
export async function isComplete(dir: string): Promise<boolean> {
  return verifyDirectory(dir).then(
    () => true,
    () => false,
  );
}

export async function hasManifest(dir: string): Promise<boolean> {
  return isFile(join(dir, manifestFile));
}

/**
 * Regular files below a folder, sorted. Throws: ConfigError for a link or a device, because a copy of the folder would
 * lose it.
 */
export async function listFiles(dir: string, below: string = ""): Promise<readonly string[]> {
  const files: string[] = [];
  for (const entry of await readdir(join(dir, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await listFiles(dir, path)));
    else if (entry.isFile()) files.push(path);
    else
      throw new ConfigError(
        `${join(dir, path)}: expected only files and folders in a checkpoint, got a link or device. Copy the ` +
          "file itself.",
      );
  }
  return files.sort();
}

async function readManifest(dir: string): Promise<readonly ManifestEntry[]> {
  const path = join(dir, manifestFile);
  if (!(await isFile(path)))
    throw new FormatError(
      dir,
      "",
      `expected a complete checkpoint with ${manifestFile}, got none: its writer was stopped, or it is no ` +
        "checkpoint of cloze. Use another one.",
    );
  const root = parseJson(decodeUtf8(await readFile(path), path, ""), { file: path, integers: true });
  const list =
    root instanceof Map && root.get("format") === "cloze-manifest" && root.get("version") === 1
      ? root.get("files")
      : undefined;
  const files = Array.isArray(list) ? list.map(readEntry) : [];
  const digest = root instanceof Map ? root.get("digest") : undefined;
  if (!files.every((file) => file !== undefined) || files.length === 0 || digest !== digestOf(files)) {
    throw new FormatError(
      path,
      "files",
      "expected a version 1 list of files that fits its digest, got another. The checkpoint is damaged: use an " +
        "earlier one.",
    );
  }
  return files;
}

function readEntry(value: JsonValue): ManifestEntry | undefined {
  if (!(value instanceof Map)) return undefined;
  const path = value.get("path");
  const bytes = value.get("bytes");
  const sha256 = value.get("sha256");
  if (typeof path !== "string" || typeof bytes !== "number" || typeof sha256 !== "string") return undefined;
  const leaves =
    path.includes("\\") ||
    path.includes("\0") ||
    path.split("/").some((part) => part === "" || part === "." || part === "..");
  return leaves ? undefined : { path, bytes, sha256 };
}

function digestOf(files: readonly ManifestEntry[]): string {
  const rows = files.map(({ path, bytes, sha256 }) => [path, bytes, sha256]);
  return createHash("sha256").update(JSON.stringify(rows)).digest("hex");
}

/** True for a regular file. The caller asks before it opens the path: to open a pipe would wait for ever. */
async function isFile(path: string): Promise<boolean> {
  return (await ignoring(["ENOENT", "ENOTDIR"], stat(path)))?.isFile() ?? false;
}

async function hashFile(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const handle = await open(path, "r");
  try {
    const hash = createHash("sha256");
    const buffer = new Uint8Array(1 << 20);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return { bytes, sha256: hash.digest("hex") };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
