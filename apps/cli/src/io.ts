/** The parts of the process that a command uses: streams, folder, environment. Tests pass their own. */

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
  return { stdout, stderr, stdin, env, cwd: process.cwd(), outputClosed: () => closed };
}
