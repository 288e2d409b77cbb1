/**
 * The times of kernels on the device, from timestamps around a separate pass for each kernel. They are for tuning and
 * reports. The separate passes cost time, so a timed run shows the times of its kernels but not its own normal time.
 */
import { usage } from "./usage.ts";
import type { Buffers } from "./buffers.ts";
import type { Readback } from "./readback.ts";

export interface KernelTime {
  readonly kernel: string;
  /** Layer path of the kernel. */
  readonly path: string;
  readonly count: number;
  readonly ms: number;
}

/** Queries in one set, which is WebGPU's limit. Each kernel takes two. */
const SET = 4096;

export class Timing {
  readonly #device: GPUDevice;
  readonly #buffers: Buffers;
  readonly #readback: Readback;
  readonly #sets: GPUQuerySet[] = [];
  readonly #sums = new Map<string, { readonly kernel: string; readonly path: string; count: number; ms: number }>();

  constructor(device: GPUDevice, buffers: Buffers, readback: Readback) {
    this.#device = device;
    this.#buffers = buffers;
    this.#readback = readback;
  }

  /** The pass descriptor of kernel `i` of a run. */
  pass(i: number): GPUComputePassDescriptor {
    const set = Math.floor((2 * i) / SET);
    const at = (2 * i) % SET;
    const querySet = (this.#sets[set] ??= this.#device.createQuerySet({ type: "timestamp", count: SET }));
    return { timestampWrites: { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 } };
  }

  /** Adds the times of a run to the sums. Call it after the last kernel of the run. */
  async collect(kernels: readonly { readonly name: string; readonly path: string }[]): Promise<void> {
    const bytes = 16 * kernels.length;
    const resolved = await this.#buffers.allocate(
      "timestamps",
      Math.max(bytes, 16),
      usage.QUERY_RESOLVE | usage.COPY_SRC,
    );
    try {
      const back = await this.#readback.take(Math.max(bytes, 16));
      const encoder = this.#device.createCommandEncoder();
      this.#sets.forEach((set, i) => {
        const count = Math.min(SET, 2 * kernels.length - i * SET);
        if (count > 0) encoder.resolveQuerySet(set, 0, count, resolved, i * SET * 8);
      });
      encoder.copyBufferToBuffer(resolved, 0, back, 0, Math.max(bytes, 16));
      this.#device.queue.submit([encoder.finish()]);
      const times = new BigUint64Array(await this.#readback.bytes(back, Math.max(bytes, 16)));
      kernels.forEach((kernel, i) => this.#add(kernel, Number((times[2 * i + 1] ?? 0n) - (times[2 * i] ?? 0n)) / 1e6));
    } finally {
      this.#buffers.release(resolved);
    }
  }

  /** The sums since the last call, the longest first. */
  take(): readonly KernelTime[] {
    const all = [...this.#sums.values()].sort((a, b) => b.ms - a.ms);
    this.#sums.clear();
    return all;
  }

  #add({ name, path }: { readonly name: string; readonly path: string }, ms: number): void {
    const key = `${name}\n${path}`;
    const sum = this.#sums.get(key) ?? { kernel: name, path, count: 0, ms: 0 };
    sum.count++;
    sum.ms += Math.max(0, ms);
    this.#sums.set(key, sum);
  }
}
