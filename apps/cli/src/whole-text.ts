/** The text of a small file of the user as a whole: plain or gzip, from a file, a pipe, or with "-" standard input. */
import type { Io } from "./io.ts";

/** The text in UTF-8, without a byte-order mark, every line end "\n". Throws FormatError for UTF-16 and the like. */
export async function wholeText(path: string, shown: string, stdin?: Io["stdin"]): Promise<string> {
  const { Pipe, STDIN_NAME, decodeText, readChunks } = await import("@cloze/data/node");
  const isStdin = path === STDIN_NAME && stdin !== undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of readChunks(isStdin ? new Pipe("standard input", () => stdin) : path))
    chunks.push(new Uint8Array(chunk));
  return decodeText(Buffer.concat(chunks), isStdin ? "standard input" : shown);
}
