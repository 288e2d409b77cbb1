/**
 * Pipelines by their text: made in parallel, once for a device. Bind group layouts are ours (by access), not "auto",
 * which would leave out bindings that a kernel declares and does not read.
 */
import { KernelError, messageOf } from "./errors.ts";
import type { Health } from "./health.ts";

export type Access = "read" | "read_write";

/** What of a kernel makes its pipeline. */
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

  /** Pipelines there are, whole or in the making. */
  get count(): number {
    return this.#made.size;
  }

  /** The pipeline of a kernel; kernels of one text and one access share it. */
  get(kernel: PipelineSource): Promise<GPUComputePipeline> {
    const key = `${accessOf(kernel)}\n${kernel.wgsl}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = this.#health.guard(this.#make(kernel));
    this.#made.set(key, made);
    made.catch(() => this.#made.delete(key)); // the next to ask is told the same, anew
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
    // An invalid module is told of twice: here, where its scope keeps it from being everybody's error, and by the
    // pipeline.
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

/** The compiler's first complaint with the line it is about; else what the pipeline said. */
async function explain(module: GPUShaderModule, wgsl: string, cause: string): Promise<string> {
  const info = await module.getCompilationInfo().catch(() => undefined);
  const first = info?.messages.find(({ type }) => type === "error");
  if (first === undefined) return `its pipeline cannot be made: ${cause}`;
  const line = wgsl.split("\n")[first.lineNum - 1]?.trim() ?? "";
  return `its text does not compile: line ${first.lineNum}: ${first.message.trim()}: \`${line}\`.`;
}
