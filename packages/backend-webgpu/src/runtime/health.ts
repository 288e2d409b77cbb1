/**
 * The health of the device. After a loss, or an error that no error scope caught, every pending call and every later
 * call rejects with that first failure. So no call hangs, and no run continues with wrong numbers.
 */
import { ClozeError, ConfigError } from "@cloze/errors";
import { DeviceLostError, KernelError, messageOf } from "./errors.ts";

/** How long a failed call waits for the report of a lost device, since the two can arrive in either order. */
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

  /** Throws the first failure, if there was one. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  fail(error: ClozeError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }

  /** Ends the use of the device. Every later call is refused, and the destroyed device does not count as lost. */
  end(): void {
    this.#device.removeEventListener("uncapturederror", this.#onError);
    this.fail(new ConfigError("backend webgpu: it was disposed. Open another."));
  }

  /** The result of `work`. Rejects with the device's failure if one happens while `work` is pending. */
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

  /** The cause of an error. A cloze error is its own cause; an API error is usually the first sign of a lost device. */
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
