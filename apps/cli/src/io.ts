/** What a command touches of the process: its streams, its folder, its environment. Tests pass their own. */

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
  /** True once the reader of stdout has gone: `cloze … | head -1`. */
  readonly outputClosed: () => boolean;
}

export function processIo(): Io {
  let closed = false;
  const { stdout, stderr, stdin, env } = process;
  // A reader that left is no error of ours; without a listener node would print a stack.
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    closed = true;
  });
  stderr.on("error", () => {});
  return { stdout, stderr, stdin, env, cwd: process.cwd(), outputClosed: () => closed };
}
