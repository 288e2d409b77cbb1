/** Text files and JSON files on disk: read with checks, written atomically. */
import { decodeUtf8, parseJson } from "../json.ts";
import { writeFileAtomic } from "./atomic.ts";
import { openFile } from "./open-file.ts";
import { onStorage } from "./storage-error.ts";

/** The text of a UTF-8 file. Throws: FormatError for bytes that are not UTF-8, StorageError. */
export async function readText(path: string): Promise<string> {
  return onStorage(path, "read this file", async () => {
    const { handle } = await openFile(path);
    try {
      return decodeUtf8(await handle.readFile(), path, "");
    } finally {
      await handle.close();
    }
  });
}

/**
 * Reads a JSON file (config.json, trainer_state.json) as plain objects. Stricter than `JSON.parse`: a repeated key in
 * an object is an error. Throws: FormatError with line and column, StorageError.
 */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  parseJson(text, { file: path });
  return JSON.parse(text) as unknown;
}

/** Writes a value as JSON, atomically, as transformers does: indented by two spaces, a newline at the end. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
