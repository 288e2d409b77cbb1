/** A compiled program on one device: its layout, its feed buffers, and its links to the state of each session. */
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

/** The parts of a session's state that a program binds. */
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

  /** Makes everything that does not depend on a session: the pipelines, in parallel, and the feed buffers. */
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

  /** Copies the feeds of one run to bytes. Throws where a feed is missing or has the wrong type. */
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

  /** Makes the program ready to run on a session's state. Call it only in the lane, because scratch memory may grow. */
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
