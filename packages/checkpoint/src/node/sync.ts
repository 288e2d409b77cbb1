/** fsync, of files and of the folders that name them: without the second a rename may be lost with the power. */
import { open } from "node:fs/promises";

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Windows cannot sync a folder and needs not to: NTFS journals its names. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
