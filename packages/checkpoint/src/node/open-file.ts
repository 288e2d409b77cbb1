/** The opening of regular files, and of nothing else. */
import { open, stat, type FileHandle } from "node:fs/promises";
import { StorageError } from "./storage-error.ts";

/**
 * Opens a regular file for reading. Checks the kind of the file first: to open a pipe would wait for ever.
 * Throws: StorageError for a folder, a device or a pipe.
 */
export async function openFile(path: string): Promise<{ readonly handle: FileHandle; readonly size: number }> {
  const found = await stat(path);
  if (!found.isFile())
    throw new StorageError(
      path,
      "EISDIR",
      `expected a file, got a ${found.isDirectory() ? "folder" : "device or pipe"}. Check the path.`,
    );
  const handle = await open(path, "r");
  return { handle, size: (await handle.stat()).size };
}
