/** A local file that is read by ranges, through one file descriptor. */
import { FormatError } from "@cloze/errors";
import { open } from "node:fs/promises";
import type { RangeReader } from "./parquet-rows.ts";

export interface RangeFile extends RangeReader {
  close(): Promise<void>;
}

export async function rangesOfFile(path: string, onRead?: (bytes: number) => void): Promise<RangeFile> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new FormatError(
      path,
      "",
      `expected a file to read, got ${cause instanceof Error ? cause.message : String(cause)}. Check the path.`,
      { cause },
    );
  });
  const { size: byteLength } = await handle.stat();
  let total = 0;
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const buffer = new ArrayBuffer(end - start);
      const bytes = new Uint8Array(buffer);
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
        if (bytesRead === 0)
          throw new FormatError(
            path,
            `byte ${start + at}`,
            `expected ${byteLength} bytes, got the end of the file: it was cut while in use, or its footer is ` +
              "wrong. Write or download it again.",
          );
        at += bytesRead;
      }
      total += bytes.length;
      onRead?.(total);
      return buffer;
    },
    close: () => handle.close(),
  };
}
