/** The error of a run inside TensorFlow.js, in terms of the model: the layer, the kernel, and the remedy. */
import { ClozeError, UnsupportedError } from "@cloze/errors";

const MEMORY = /out of memory|OOM|allocat|ResourceExhausted|RESOURCE_EXHAUSTED/i;

export class RunError extends ClozeError {
  /** Layer of the node that failed; "" where it has none. */
  readonly path: string;
  readonly kernel: string;

  constructor(backend: string, kernel: string, path: string, cause: unknown) {
    super(
      "user",
      "RunError",
      `${path === "" ? "" : `${path}: `}backend ${backend} could not run ${kernel}: ${said(cause)}.`,
      { cause },
    );
    this.path = path;
    this.kernel = kernel;
  }

  static override isInstance(error: unknown): error is RunError {
    return ClozeError.isInstance(error) && error.code === "RunError";
  }
}

const said = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).trim().replace(/\.$/, "");

/** UnsupportedError with advice where memory ran out; otherwise RunError, which names the kernel. */
export function runError(backend: string, kernel: string, path: string, cause: unknown): ClozeError {
  if (!MEMORY.test(said(cause))) return new RunError(backend, kernel, path, cause);
  return new UnsupportedError(
    `${path === "" ? "" : `${path}: `}backend ${backend} has not enough memory for ${kernel} ` +
      `(${said(cause).split("\n")[0]}). Make the batch or the sequence smaller, or accumulate gradients over ` +
      "micro-batches.",
    { cause },
  );
}
