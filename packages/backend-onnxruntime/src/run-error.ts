/** RunError: a failure inside ONNX Runtime, with the layer, the operator, and what to do. */
import { ClozeError, UnsupportedError } from "@cloze/errors";
import type { Failure } from "./protocol.ts";

export class RunError extends ClozeError {
  /** Layer path of the failed node; "" where ONNX Runtime names no node. */
  readonly path: string;
  readonly operator: string;

  constructor(path: string, operator: string, message: string) {
    super("user", "RunError", message);
    this.path = path;
    this.operator = operator;
  }

  static override isInstance(error: unknown): error is RunError {
    return ClozeError.isInstance(error) && error.code === "RunError";
  }
}

/** Matches ONNX Runtime's `… while running Gather node. Name:'encoder.layers.3/Gather' Status Message: …`. */
const NODE = /running (\S+) node\. Name:'([^']*)'\s*Status Message: ([\s\S]*)/;

const MEMORY = /allocat|bad_alloc|out of memory/i;

export function explain({ kind, message }: Failure, doing: string): ClozeError {
  if (kind === "missing") return new UnsupportedError(message);
  const [, operator = "", name = "", status = message] = NODE.exec(message) ?? [];
  const path = name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
  const where = operator === "" ? "" : `${path === "" ? "" : `${path}: `}${operator} (node "${name}"): `;
  const said = (status as string).trim().replace(/\.$/, "");
  if (MEMORY.test(said)) {
    return new UnsupportedError(
      `${where}ONNX Runtime could not ${doing}: not enough memory (${said}). Make the batch or the sequence ` +
        "smaller, or accumulate gradients over micro-batches.",
    );
  }
  return new RunError(path, operator as string, `${where}ONNX Runtime could not ${doing}: ${said}.`);
}
