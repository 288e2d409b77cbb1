/**
 * The scratch memory for temporaries. All executables of a backend share it, because the device runs them one after
 * another. A chunk grows to the largest size that any executable needs. Executables then bind the new chunk instead of
 * the old one.
 */
import type { Buffers } from "./buffers.ts";
import type { Chunk, Group } from "./place.ts";
import { DEVICE_MEMORY } from "./usage.ts";

export class Arena {
  readonly #buffers: Buffers;
  readonly #chunks: { readonly [G in Group]: (GPUBuffer | undefined)[] } = { "16-bit": [], "32-bit": [] };
  #generation = 0;

  constructor(buffers: Buffers) {
    this.#buffers = buffers;
  }

  /** A number that changes when a chunk is replaced. Bind groups of an older generation refer to destroyed buffers. */
  get generation(): number {
    return this.#generation;
  }

  get bytes(): number {
    return Object.values(this.#chunks)
      .flat()
      .reduce((sum, buffer) => sum + (buffer?.size ?? 0), 0);
  }

  /**
   * The buffers for `chunks`, in their order. Replaces those that are too small, so call it only between runs. `more`
   * is a sentence for the error where there is no memory.
   */
  async hold(chunks: readonly Chunk[], more: string): Promise<readonly GPUBuffer[]> {
    const next: { [G in Group]: number } = { "16-bit": 0, "32-bit": 0 };
    const held: GPUBuffer[] = [];
    for (const { group, bytes } of chunks) held.push(await this.#grown(group, next[group]++, bytes, more));
    return held;
  }

  /** Releases the old chunk before it allocates the new one, because there may not be room for both. */
  async #grown(group: Group, index: number, bytes: number, more: string): Promise<GPUBuffer> {
    const slots = this.#chunks[group];
    const old = slots[index];
    if (old !== undefined && old.size >= bytes) return old;
    this.#generation++;
    if (old !== undefined) this.#buffers.release(old);
    slots[index] = undefined;
    return (slots[index] = await this.#buffers.allocate("temporaries", bytes, DEVICE_MEMORY, more));
  }
}
