/**
 * The errors of a device, in terms of the model: they name the kernel, the layer, and the next step. Missing memory is
 * an UnsupportedError, as on every backend.
 */
import { ClozeError } from "@cloze/errors";

/** A kernel that does not compile, or that the device refuses. This is a bug of cloze or of the driver. */
export class KernelError extends ClozeError {
  /** Family and variant of the kernel, as in the plan. */
  readonly kernel: string;
  /** Layer path of the kernel's values; "" where it has none. */
  readonly path: string;

  constructor(at: { readonly name: string; readonly path: string }, message: string) {
    super(
      "internal",
      "KernelError",
      `backend webgpu: ${placeOf(at)}: ${message} This is a bug in cloze or in the driver: please report it with ` +
        `this text and what \`cloze doctor\` prints.`,
    );
    this.kernel = at.name;
    this.path = at.path;
  }

  static override isInstance(error: unknown): error is KernelError {
    return ClozeError.isInstance(error) && error.code === "KernelError";
  }
}

/** The device is lost, and its state with it. Every later call of its backend throws this error. */
export class DeviceLostError extends ClozeError {
  /** The driver's message. */
  readonly reason: string;

  constructor(reason: string) {
    const said = reason.trim().replace(/\.$/, "") || "no reason given";
    super(
      "unsupported",
      "DeviceLostError",
      `backend webgpu: the device was lost (${said}). What was on it is gone: open the backend anew and go on ` +
        "from the last checkpoint. If it happens again, use smaller batches, or look for a reset of the driver in " +
        "the system's log.",
    );
    this.reason = reason;
  }

  static override isInstance(error: unknown): error is DeviceLostError {
    return ClozeError.isInstance(error) && error.code === "DeviceLostError";
  }
}

/** The kernel with its layer path: `encoder.layers.3.attention: kernel "matmul NT 64x64x16"`. */
export const placeOf = ({ name, path }: { readonly name: string; readonly path: string }): string =>
  `${path === "" ? "" : `${path}: `}kernel "${name}"`;

/** The first line of an error's message. */
export const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
