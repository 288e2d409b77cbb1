/**
 * The device memory of a backend. It counts all buffers. Where no memory is left, its error says how much was needed.
 */
import { UnsupportedError } from "@cloze/errors";
import type { Health } from "./health.ts";

export interface Allocation {
  readonly buffer: GPUBuffer;
  /** Rejects where the device has no memory for the buffer; the buffer is then released. */
  readonly ready: Promise<void>;
}

export const MEMORY_ADVICE =
  "Make the batch or the sequence smaller, accumulate gradients over more parts, or compute in f16.";

export class Buffers {
  readonly #device: GPUDevice;
  readonly #health: Health;
  readonly #maxBytes: number;
  readonly #alive = new Set<GPUBuffer>();
  #bytes = 0;

  /** `maxBytes` is the limit of all buffers together. With Infinity only the device sets a limit. */
  constructor(device: GPUDevice, health: Health, maxBytes: number) {
    this.#device = device;
    this.#health = health;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#alive.size;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Makes a buffer without waiting, so that the caller's data can be copied at once. Await `ready` before you rely on
   * the buffer. `more` is a sentence for the error.
   */
  make(label: string, size: number, usage: number, more: string = ""): Allocation {
    if (this.#bytes + size > this.#maxBytes)
      throw noMemory(
        label,
        size,
        Math.max(0, this.#maxBytes - this.#bytes),
        "the limit that was set with maxBytes",
        more,
      );
    const scopes = ["validation", "out-of-memory"] as const;
    for (const scope of scopes) this.#device.pushErrorScope(scope);
    const buffer = this.#device.createBuffer({ label, size, usage });
    const errors = scopes.map(() => this.#device.popErrorScope());
    this.#alive.add(buffer);
    this.#bytes += size;
    const ready = this.#health.guard(Promise.all(errors)).then(([memory, validation]) => {
      const said = memory ?? validation;
      if (said === null || said === undefined) return;
      this.release(buffer);
      throw noMemory(label, size, undefined, said.message.split("\n")[0] ?? "", more);
    });
    ready.catch(() => undefined); // the caller that awaits `ready` gets the error
    return { buffer, ready };
  }

  async allocate(label: string, size: number, usage: number, more: string = ""): Promise<GPUBuffer> {
    const { buffer, ready } = this.make(label, size, usage, more);
    await ready;
    return buffer;
  }

  /** Destroys a buffer. Submitted work can still use it; the device frees its memory afterwards. */
  release(buffer: GPUBuffer): void {
    if (!this.#alive.delete(buffer)) return;
    this.#bytes -= buffer.size;
    buffer.destroy();
  }

  releaseAll(): void {
    for (const buffer of this.#alive) this.release(buffer);
  }
}

function noMemory(
  label: string,
  needed: number,
  available: number | undefined,
  why: string,
  more: string,
): UnsupportedError {
  return new UnsupportedError(
    `backend webgpu: not enough memory for ${label}: expected ${showBytes(needed)}, got ` +
      `${available === undefined ? "less" : showBytes(available)} (${why}).${more} ${MEMORY_ADVICE}`,
  );
}

/** Bytes as text: "1.5 GiB". */
export function showBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  while (power < units.length - 1 && bytes >= 1024 ** (power + 1)) power++;
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
