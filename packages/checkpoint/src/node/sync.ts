/** fsync of files and of folders. Without fsync of the folder, a power failure may undo a rename. */
import { open } from "node:fs/promises";

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Syncs a folder. Windows cannot, and need not: NTFS keeps a journal of names. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
