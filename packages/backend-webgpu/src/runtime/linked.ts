/**
 * A compiled program that is linked to the state of one session: pipelines, tables, and a bind group for each kernel.
 * The first run makes the link. When scratch memory grows, the bind groups are made again.
 */
import { invariant } from "@cloze/errors";
import { KernelError, messageOf } from "./errors.ts";
import type { Range, Resolved, ResolvedProgram } from "./resolve.ts";
import type { Runtime } from "./runtime.ts";
import { guessMs } from "./slices.ts";

/** The start of a range in an existing buffer. */
export interface Source {
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

export interface Dispatch {
  readonly kernel: Resolved;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

export class Linked {
  readonly #runtime: Runtime;
  readonly #resolved: ResolvedProgram;
  readonly #pipelines: readonly GPUComputePipeline[];
  readonly #tables: readonly GPUBuffer[];
  readonly guessesMs: readonly number[];
  #generation = -1;
  #dispatches: readonly Dispatch[] = [];
  #outputs: readonly Source[] = [];
  /** True after a run without an error of the device. */
  proven = false;

  private constructor(
    runtime: Runtime,
    resolved: ResolvedProgram,
    pipelines: readonly GPUComputePipeline[],
    tables: readonly GPUBuffer[],
  ) {
    this.#runtime = runtime;
    this.#resolved = resolved;
    this.#pipelines = pipelines;
    this.#tables = tables;
    const { family } = runtime.profile;
    this.guessesMs = resolved.kernels.map(({ flops, ranges }) =>
      guessMs(family, { flops, bytes: ranges.reduce((sum, { bytes = 0 }) => sum + bytes, 0) }),
    );
  }

  static async make(runtime: Runtime, resolved: ResolvedProgram): Promise<Linked> {
    const tables = runtime.tables.acquire(resolved.tables);
    try {
      const pipelines = await Promise.all(resolved.kernels.map((kernel) => runtime.pipelines.get(kernel)));
      return new Linked(runtime, resolved, pipelines, await tables);
    } catch (error) {
      await tables.then(
        (made) => runtime.tables.release(made),
        () => undefined,
      );
      throw error;
    }
  }

  get dispatches(): readonly Dispatch[] {
    return this.#dispatches;
  }

  /** The place of each output. */
  get outputs(): readonly Source[] {
    return this.#outputs;
  }

  /** True while all bound buffers still exist. */
  get bound(): boolean {
    return this.#generation === this.#runtime.arena.generation;
  }

  /** Makes the bind groups. `buffers` holds all buffers but tables, by number. */
  async bind(buffers: readonly GPUBuffer[]): Promise<void> {
    const { device, health, arena, pipelines } = this.#runtime;
    const all = [...buffers, ...this.#tables];
    const source = ({ buffer, offset }: Range): Source => {
      const found = all[buffer];
      invariant(found !== undefined, `there is no buffer ${buffer}`);
      return { buffer: found, offset };
    };
    const made = this.#resolved.kernels.map((kernel, i) => {
      const entries = kernel.ranges.map((range, binding) => ({
        binding,
        resource: { ...source(range), ...(range.bytes === undefined ? {} : { size: range.bytes }) },
      }));
      device.pushErrorScope("validation");
      const group = device.createBindGroup({ label: kernel.name, layout: pipelines.layoutOf(kernel), entries });
      return {
        dispatch: { kernel, pipeline: this.#pipelines[i] as GPUComputePipeline, group },
        error: device.popErrorScope(),
      };
    });
    const generation = arena.generation;
    const errors = await health.guard(Promise.all(made.map(({ error }) => error)));
    errors.forEach((error, i) => {
      if (error !== null)
        throw new KernelError(this.#resolved.kernels[i] as Resolved, `its buffers are refused: ${messageOf(error)}.`);
    });
    this.#dispatches = made.map(({ dispatch }) => dispatch);
    this.#outputs = this.#resolved.outputs.map(source);
    this.#generation = generation;
  }

  dispose(): void {
    this.#runtime.tables.release(this.#tables);
  }
}
