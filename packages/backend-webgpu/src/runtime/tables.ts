/** The tables on the device. Equal tables share one buffer, which is released when no program uses it. */
import { invariant } from "@cloze/errors";
import type { Storage } from "../kernel.ts";
import type { Buffers } from "./buffers.ts";
import { roundUp } from "./place.ts";
import { usage } from "./usage.ts";

type Data = NonNullable<Storage["data"]>;

interface Table {
  readonly data: Uint32Array;
  readonly buffer: GPUBuffer;
  readonly ready: Promise<void>;
  users: number;
}

export class Tables {
  readonly #device: GPUDevice;
  readonly #buffers: Buffers;
  /** Tables by a hash of their contents. */
  readonly #tables = new Map<number, Table[]>();

  constructor(device: GPUDevice, buffers: Buffers) {
    this.#device = device;
    this.#buffers = buffers;
  }

  /** One buffer for each table. The caller must release each of them. */
  async acquire(storages: readonly Storage[]): Promise<readonly GPUBuffer[]> {
    const tables = storages.map((storage) => this.#table(storage));
    try {
      await Promise.all(tables.map(({ ready }) => ready));
    } catch (error) {
      this.release(tables.map(({ buffer }) => buffer));
      throw error;
    }
    return tables.map(({ buffer }) => buffer);
  }

  release(buffers: readonly GPUBuffer[]): void {
    for (const buffer of buffers) {
      for (const [hash, tables] of this.#tables) {
        const table = tables.find((t) => t.buffer === buffer);
        if (table === undefined || --table.users > 0) continue;
        this.#buffers.release(buffer);
        this.#tables.set(
          hash,
          tables.filter((t) => t !== table),
        );
        if (tables.length === 1) this.#tables.delete(hash);
      }
    }
  }

  #table({ name, data }: Storage): Table {
    invariant(data !== undefined, `the table "${name}" has no contents`);
    const words = wordsOf(data);
    const hash = hashOf(words);
    const same = this.#tables.get(hash) ?? [];
    const known = same.find((t) => equal(t.data, words));
    if (known !== undefined) {
      known.users++;
      return known;
    }
    const { buffer, ready } = this.#buffers.make(
      `the table "${name}"`,
      roundUp(Math.max(data.byteLength, 4), 16),
      usage.STORAGE | usage.COPY_SRC | usage.COPY_DST,
    );
    this.#device.queue.writeBuffer(buffer, 0, words);
    const made = { data: words, buffer, ready, users: 1 };
    this.#tables.set(hash, [...same, made]);
    return made;
  }
}

const wordsOf = (data: Data): Uint32Array<ArrayBuffer> =>
  new Uint32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer);

/** FNV-1a over words. */
function hashOf(words: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  return hash >>> 0;
}

const equal = (a: Uint32Array, b: Uint32Array): boolean => a.length === b.length && a.every((word, i) => word === b[i]);
