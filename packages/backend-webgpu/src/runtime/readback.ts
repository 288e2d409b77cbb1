/**
 * The readback buffers, through which results return to the host. They are mapped and used again, a few for each size.
 */
import type { Buffers } from "./buffers.ts";
import type { Health } from "./health.ts";
import { roundUp } from "./place.ts";
import { MAP_READ, usage } from "./usage.ts";

export class Readback {
  readonly #buffers: Buffers;
  readonly #health: Health;
  readonly #free = new Map<number, GPUBuffer[]>();

  constructor(buffers: Buffers, health: Health) {
    this.#buffers = buffers;
    this.#health = health;
  }

  /** A free buffer of at least `bytes`, as a copy target. */
  async take(bytes: number): Promise<GPUBuffer> {
    const size = readbackBytes(bytes);
    return (
      this.#free.get(size)?.pop() ??
      this.#buffers.allocate("results on their way back", size, usage.MAP_READ | usage.COPY_DST)
    );
  }

  /**
   * The first bytes of a buffer, after all submitted work is done. Afterwards the buffer is free again, or released.
   */
  async bytes(buffer: GPUBuffer, length: number, keep: boolean = true): Promise<ArrayBuffer> {
    await this.#health.guard(buffer.mapAsync(MAP_READ, 0, length));
    const copy = buffer.getMappedRange(0, length).slice(0);
    buffer.unmap();
    if (keep) this.give(buffer);
    else this.#buffers.release(buffer);
    return copy;
  }

  give(buffer: GPUBuffer): void {
    const free = this.#free.get(buffer.size) ?? [];
    free.push(buffer);
    this.#free.set(buffer.size, free);
  }
}

/** Rounds up to a power of two, from 65,536 on to a multiple of it. Few sizes keep the number of buffers small. */
export const readbackBytes = (bytes: number): number =>
  bytes >= LARGE ? roundUp(bytes, LARGE) : Math.max(256, 2 ** Math.ceil(Math.log2(bytes)));

const LARGE = 65_536;
