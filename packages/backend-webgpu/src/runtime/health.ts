/**
 * Whether the device still works. After the first loss or error that nobody was waiting for, every pending and every
 * later call rejects with what happened: nothing hangs, nothing goes on with wrong numbers.
 */
import { ClozeError, ConfigError } from "@cloze/errors";
import { DeviceLostError, KernelError, messageOf } from "./errors.ts";

/** How long a failed call waits to be told that the device was lost: the two are told in either order. */
const GRACE_MS = 1000;

export class Health {
  #failure: ClozeError | undefined;
  readonly #pending = new Set<(error: ClozeError) => void>();
  readonly #device: GPUDevice;
  readonly #onError = (event: GPUUncapturedErrorEvent): void => {
    event.preventDefault?.();
    this.fail(
      new KernelError({ name: "unknown", path: "" }, `the device refused a command: ${event.error.message.trim()}`),
    );
  };

  constructor(device: GPUDevice) {
    this.#device = device;
    device.addEventListener("uncapturederror", this.#onError);
    void device.lost.then(({ message }) => this.fail(new DeviceLostError(message)));
  }

  get failure(): ClozeError | undefined {
    return this.#failure;
  }

  /** Throws what happened, if anything did. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  fail(error: ClozeError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }

  /** From here on everything is refused, and the device may go without being called lost. */
  end(): void {
    this.#device.removeEventListener("uncapturederror", this.#onError);
    this.fail(new ConfigError("backend webgpu: it was disposed. Open another."));
  }

  /** The work's result; or what happened to the device while it was pending. */
  guard<T>(work: Promise<T>): Promise<T> {
    if (this.#failure !== undefined) {
      work.catch(() => undefined);
      return Promise.reject(this.#failure);
    }
    return new Promise<T>((resolve, reject) => {
      const pending = this.#pending;
      pending.add(reject);
      const settle = (): boolean => pending.delete(reject);
      work.then(
        (value) => {
          if (settle()) resolve(value);
        },
        (error: unknown) =>
          void this.#explain(error).then((cause) => {
            if (settle()) reject(cause);
          }),
      );
    });
  }

  /** An error of ours is its own reason; one of the API is most often the first sign of a lost device. */
  async #explain(error: unknown): Promise<unknown> {
    if (ClozeError.isInstance(error)) return error;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, GRACE_MS);
    });
    await Promise.race([this.#device.lost.then(() => undefined), late]);
    clearTimeout(timer);
    return this.#failure ?? new KernelError({ name: "unknown", path: "" }, `the device failed: ${messageOf(error)}`);
  }
}
