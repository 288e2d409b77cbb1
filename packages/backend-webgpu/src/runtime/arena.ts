/**
 * The scratch memory of temporaries: one for all executables of a backend, since runs are one after another on the
 * device. Each chunk grows to the largest that any executable asks for; what was bound to the old one is then bound
 * anew.
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

  /** Another number: bind groups made before are of buffers that are gone. */
  get generation(): number {
    return this.#generation;
  }

  get bytes(): number {
    return Object.values(this.#chunks)
      .flat()
      .reduce((sum, buffer) => sum + (buffer?.size ?? 0), 0);
  }

  /**
   * Buffers for the chunks asked for, in their order; grows what is too small. Only between runs. `more`: a sentence
   * for the error where there is no memory.
   */
  async hold(chunks: readonly Chunk[], more: string): Promise<readonly GPUBuffer[]> {
    const next: { [G in Group]: number } = { "16-bit": 0, "32-bit": 0 };
    const held: GPUBuffer[] = [];
    for (const { group, bytes } of chunks) held.push(await this.#grown(group, next[group]++, bytes, more));
    return held;
  }

  /** The old chunk goes first: there may not be room for both. */
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
