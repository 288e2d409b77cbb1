/** MissingRuntime: the error where ONNX Runtime does not load on this machine, with the reason and the next step. */
import { UnsupportedError } from "@cloze/errors";

export class MissingRuntime extends UnsupportedError {
  /** Without the full stop. */
  readonly reason: string;
  /** Whole sentences. */
  readonly remedy: string;

  constructor(reason: string, remedy: string, options?: ErrorOptions) {
    super(`backend onnxruntime: ${reason}. ${remedy}`, options);
    this.reason = reason;
    this.remedy = remedy;
  }
}
