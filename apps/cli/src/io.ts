/** The parts of the process that a command uses: streams, folder, environment. Tests pass their own. */
import { ConfigError } from "@cloze/errors";

export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Io {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True after the reader of stdout has closed it: `cloze … | head -1`. */
  readonly outputClosed: () => boolean;
}

export function processIo(): Io {
  let closed = false;
  const { stdout, stderr, stdin, env } = process;
  // A reader that closes stdout is no error of ours. Without a listener, node would print a stack.
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    closed = true;
  });
  stderr.on("error", () => {});
  return { stdout, stderr, stdin: readOnce(stdin), env, cwd: process.cwd(), outputClosed: () => closed };
}

/** Standard input that refuses a second reading, which would find nothing: `--config - --data -`. */
function readOnce(stdin: Io["stdin"]): Io["stdin"] {
  let isRead = false;
  return {
    get isTTY() {
      return stdin.isTTY ?? false;
    },
    [Symbol.asyncIterator]() {
      if (isRead)
        throw new ConfigError(
          "standard input: expected to be read once, got it named twice. Save it to a file first, and name the file.",
        );
      isRead = true;
      return stdin[Symbol.asyncIterator]();
    },
  };
}
