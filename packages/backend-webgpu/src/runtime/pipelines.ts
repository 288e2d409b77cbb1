/**
 * The pipelines of a device by kernel text. They compile in parallel, each once. Bind group layouts are explicit (by
 * access), because layout "auto" leaves out bindings that a kernel declares but does not use.
 */
import { KernelError, messageOf } from "./errors.ts";
import type { Health } from "./health.ts";

export type Access = "read" | "read_write";

/** The parts of a kernel that its pipeline depends on. */
export interface PipelineSource {
  readonly name: string;
  readonly path: string;
  readonly wgsl: string;
  readonly bindings: readonly { readonly access: Access }[];
}

const COMPUTE_STAGE = 4;

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #health: Health;
  readonly #made = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<string, { readonly group: GPUBindGroupLayout; readonly pipeline: GPUPipelineLayout }>();

  constructor(device: GPUDevice, health: Health) {
    this.#device = device;
    this.#health = health;
  }

  /** Number of pipelines, including those that still compile. */
  get count(): number {
    return this.#made.size;
  }

  /** The pipeline of a kernel. Kernels with equal text and access share it. */
  get(kernel: PipelineSource): Promise<GPUComputePipeline> {
    const key = `${accessOf(kernel)}\n${kernel.wgsl}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = this.#health.guard(this.#make(kernel));
    this.#made.set(key, made);
    made.catch(() => this.#made.delete(key)); // the next call tries again and gets its own error
    return made;
  }

  layoutOf(kernel: Pick<PipelineSource, "bindings">): GPUBindGroupLayout {
    return this.#layout(kernel).group;
  }

  #layout(kernel: Pick<PipelineSource, "bindings">): {
    readonly group: GPUBindGroupLayout;
    readonly pipeline: GPUPipelineLayout;
  } {
    const key = accessOf(kernel);
    const known = this.#layouts.get(key);
    if (known !== undefined) return known;
    const group = this.#device.createBindGroupLayout({
      entries: kernel.bindings.map(({ access }, binding) => ({
        binding,
        visibility: COMPUTE_STAGE,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      })),
    });
    const made = { group, pipeline: this.#device.createPipelineLayout({ bindGroupLayouts: [group] }) };
    this.#layouts.set(key, made);
    return made;
  }

  async #make(kernel: PipelineSource): Promise<GPUComputePipeline> {
    const label = kernel.path === "" ? kernel.name : `${kernel.name} (${kernel.path})`;
    const device = this.#device;
    // WebGPU reports an invalid module twice: in this scope, which keeps the error from becoming an uncaptured one, and
    // through the pipeline.
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label, code: kernel.wgsl });
    const pipeline = device.createComputePipelineAsync({
      label,
      layout: this.#layout(kernel).pipeline,
      compute: { module, entryPoint: "main" },
    });
    const [error, made] = await Promise.all([device.popErrorScope(), pipeline.catch((cause: unknown) => ({ cause }))]);
    if ("cause" in made)
      throw new KernelError(kernel, await explain(module, kernel.wgsl, error?.message.trim() ?? messageOf(made.cause)));
    if (error !== null) throw new KernelError(kernel, error.message.trim());
    return made;
  }
}

const accessOf = ({ bindings }: Pick<PipelineSource, "bindings">): string =>
  bindings.map(({ access }) => (access === "read" ? "r" : "w")).join("");

/** The first error of the WGSL compiler with its line; otherwise the pipeline's message. */
async function explain(module: GPUShaderModule, wgsl: string, cause: string): Promise<string> {
  const info = await module.getCompilationInfo().catch(() => undefined);
  const first = info?.messages.find(({ type }) => type === "error");
  if (first === undefined) return `its pipeline cannot be made: ${cause}`;
  const line = wgsl.split("\n")[first.lineNum - 1]?.trim() ?? "";
  return `its text does not compile: line ${first.lineNum}: ${first.message.trim()}: \`${line}\`.`;
}
