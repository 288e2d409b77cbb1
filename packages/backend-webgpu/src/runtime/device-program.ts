/** A compiled program on one device: its places, its feeds, and what it is linked to for each session. */
import { checkFeeds, type Plan } from "@cloze/backend";
import type { HostTensor, HostTensors, Program } from "@cloze/graph";
import { isDeferred, type Compiled, type Kernel } from "../kernel.ts";
import { checkMemory, estimateOf, showLargest } from "./estimate.ts";
import { encodeInto } from "./host-data.ts";
import { layoutOf, stepsOf, type Layout } from "./layout.ts";
import { Linked } from "./linked.ts";
import { resolve } from "./resolve.ts";
import type { Runtime } from "./runtime.ts";
import type { StateLayout } from "./state.ts";
import { DEVICE_MEMORY } from "./usage.ts";

/** State of a session as far as a program binds it. */
export interface BoundState {
  readonly layout: StateLayout;
  readonly buffers: readonly GPUBuffer[];
}

export class DeviceProgram {
  readonly layout: Layout;
  readonly plan: Plan;
  readonly #runtime: Runtime;
  readonly #compiled: Compiled;
  readonly #links = new Map<BoundState, Linked>();
  #feeds: readonly GPUBuffer[] = [];

  constructor(runtime: Runtime, program: Program, compiled: Compiled) {
    this.#runtime = runtime;
    this.#compiled = compiled;
    this.layout = layoutOf(compiled, program, runtime.profile);
    const estimate = estimateOf(program, this.layout, runtime.profile);
    checkMemory(estimate, runtime.buffers.maxBytes);
    this.plan = {
      backend: "webgpu",
      steps: stepsOf(compiled.kernels),
      stateBytes: estimate.stateBytes,
      peakBytes: estimate.peakBytes,
    };
  }

  /** Makes what does not depend on a session: pipelines, all at once, and the buffer of feeds. */
  async prepare(): Promise<void> {
    const { pipelines, buffers } = this.#runtime;
    const plain = this.#compiled.kernels.filter((k): k is Kernel => !isDeferred(k));
    const feeds = this.layout.feedChunks.map((bytes) => buffers.make("feeds", bytes, DEVICE_MEMORY));
    this.#feeds = feeds.map(({ buffer }) => buffer);
    const results = await Promise.allSettled([
      ...feeds.map(({ ready }) => ready),
      ...plain.map((kernel) => pipelines.get(kernel)),
    ]);
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) return;
    this.dispose();
    throw failed.reason;
  }

  /** The feeds of one run as bytes, copied. Throws where one is missing or of another type. */
  pack(program: Program, feeds: HostTensors): readonly Uint8Array<ArrayBuffer>[] {
    checkFeeds(program, feeds);
    const packed = this.layout.feedChunks.map((bytes) => new Uint8Array(bytes));
    for (const [{ name }, { chunk, offset }] of this.layout.feeds)
      encodeInto(packed[chunk] as Uint8Array, offset, feeds[name] as HostTensor);
    return packed;
  }

  upload(packed: readonly Uint8Array<ArrayBuffer>[]): void {
    packed.forEach((bytes, i) => this.#runtime.device.queue.writeBuffer(this.#feeds[i] as GPUBuffer, 0, bytes));
  }

  /** Ready to be run over a session's state. Only in the lane: scratch memory may grow. */
  async link(state: BoundState): Promise<Linked> {
    let linked = this.#links.get(state);
    if (linked === undefined) {
      const { spots, chunks } = state.layout;
      linked = await Linked.make(
        this.#runtime,
        resolve(this.#compiled, this.layout, { spots, chunks: chunks.length }, this.#runtime.profile),
      );
      this.#links.set(state, linked);
    }
    if (!linked.bound)
      await linked.bind([
        ...(await this.#runtime.arena.hold(this.layout.chunks, showLargest(this.layout.largest))),
        ...state.buffers,
        ...this.#feeds,
      ]);
    return linked;
  }

  unlink(state: BoundState): void {
    this.#links.get(state)?.dispose();
    this.#links.delete(state);
  }

  dispose(): void {
    for (const state of this.#links.keys()) this.unlink(state);
    for (const buffer of this.#feeds) this.#runtime.buffers.release(buffer);
    this.#feeds = [];
  }
}
