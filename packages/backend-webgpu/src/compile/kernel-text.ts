/**
 * The builder of one kernel's text. It collects the bindings and their widths, the helper functions, and the numbers
 * that the kernel reads from a table. Kernels that differ only in these numbers share one pipeline.
 */
import { invariant } from "@cloze/errors";
import type { Binding, Element, Kernel, Part, Storage } from "../kernel.ts";
import { functionText } from "./wgsl-ops.ts";

/** The place of a node's value: the elements of a storage from `offset` on. */
export interface Placed {
  readonly storage: Storage;
  readonly offset: number;
  /** The storage holds numbers of several types as the bits of u32. */
  readonly raw?: true;
}

interface Use {
  readonly storage: Storage;
  wide: boolean;
  writes: boolean;
  reads: boolean;
}

export class KernelText {
  readonly #uses = new Map<Storage, Use>();
  readonly #scratch = new Map<string, Storage>();
  readonly #needs = new Set<string>();
  readonly #enables = new Set<string>();
  readonly #params: number[] = [];
  readonly functions: string[] = [];

  need(name: string): void {
    this.#needs.add(name);
  }

  needF16(): void {
    this.#enables.add("f16");
  }

  /** WGSL that reads a number from the params table. The number itself is not in the text. */
  param(value: number): string {
    const at = this.#params.indexOf(value);
    return `params[${at >= 0 ? at : this.#params.push(value) - 1}]`;
  }

  #use(storage: Storage): Use {
    let use = this.#uses.get(storage);
    if (use === undefined) this.#uses.set(storage, (use = { storage, wide: false, writes: false, reads: false }));
    return use;
  }

  #number(storage: Storage): number {
    return [...this.#uses.keys()].indexOf(storage);
  }

  /**
   * WGSL for element `i` (u32 text) as f32, i32 or u32. With 4 `lanes` it is a vec4 of the elements from `i` on, and
   * `i` is a multiple of 4.
   */
  load(storage: Storage, i: string, lanes: 1 | 4): string {
    const use = this.#use(storage);
    use.reads = true;
    if (storage.element === "f16") this.#enables.add("f16");
    if (lanes === 4) use.wide = true;
    return `ld${this.#number(storage)}${lanes === 4 ? "x4" : ""}(${i})`;
  }

  /** A statement that stores `value` in element `i`, or in 4 elements from `i` on. */
  store(storage: Storage, i: string, value: string, lanes: 1 | 4): string {
    const use = this.#use(storage);
    use.writes = true;
    if (storage.element === "f16") this.#enables.add("f16");
    if (lanes === 4) use.wide = true;
    return `st${this.#number(storage)}${lanes === 4 ? "x4" : ""}(${i}, ${value});`;
  }

  /** Binds scratch memory of a template under the name that its text uses. */
  scratch(name: string, storage: Storage): void {
    this.#scratch.set(name, storage);
    const use = this.#use(storage);
    use.reads = use.writes = true;
  }

  /** Registers a storage as number `number`. The caller's text declares its binding and accessors. */
  slot(storage: Storage, number: number): void {
    this.#use(storage);
    invariant(this.#number(storage) === number, `slot ${number} of a kernel`);
  }

  /** The helper functions needed so far, for a text that declares its own bindings. */
  helpers(): string {
    invariant(this.#params.length === 0, "a text with parameters binds them itself");
    return functionText(this.#needs);
  }

  /** The whole kernel: enables, bindings, accessors, functions and the body of `part`. */
  finish(part: Part, path: string): Kernel {
    for (const feature of part.enables) this.#enables.add(feature);
    const uses = [...this.#uses.values()];
    const lines: string[] = [...this.#enables].sort().map((e) => `enable ${e};`);
    const bindings: Binding[] = [];
    const writesState = uses.some((u) => u.writes && u.storage.kind === "state");
    const scratchNames = new Map([...this.#scratch].map(([name, s]) => [s, name]));
    uses.forEach(({ storage, wide, writes }, i) => {
      invariant(
        !writes || storage.kind === "state" || storage.kind === "temporary",
        `kernel ${part.name} writes ${storage.kind} "${storage.name}"`,
      );
      const access = storage.kind === "temporary" || (storage.kind === "state" && writesState) ? "read_write" : "read";
      bindings.push({ storage, access });
      const scratch = scratchNames.get(storage);
      lines.push(
        `@group(0) @binding(${i}) var<storage, ${access}> ${scratch ?? `b${i}`}: ` +
          `array<${wide && scratch === undefined ? `vec4<${storage.element}>` : storage.element}>;`,
      );
    });
    if (this.#params.length > 0) {
      lines.push(`@group(0) @binding(${uses.length}) var<storage, read> params: array<u32>;`);
      bindings.push({ storage: tableOf("params", Uint32Array.from(this.#params)), access: "read" });
    }
    uses.forEach(({ storage, wide, writes, reads }, i) => {
      if (!scratchNames.has(storage)) lines.push(...accessors(storage.element, wide, reads, writes, i));
    });
    const wgsl = [...lines, functionText(this.#needs), ...this.functions, part.body].filter((t) => t !== "").join("\n");
    return { name: part.name, path, wgsl, bindings, grid: part.grid, flops: part.flops };
  }
}

/** A storage of constant data. The device holds equal contents once. */
export const tableOf = (name: string, data: Uint32Array | Int32Array | Float32Array): Storage => ({
  kind: "table",
  name,
  element: data instanceof Uint32Array ? "u32" : data instanceof Int32Array ? "i32" : "f32",
  size: data.length,
  data,
});

/** Accessor functions of binding `i`. They hide the width of the binding and convert f16 to f32 and back. */
function accessors(element: Element, wide: boolean, reads: boolean, writes: boolean, i: number): string[] {
  const half = element === "f16";
  const type = half ? "f32" : element;
  const up = (v: string, t: string): string => (half ? `${t}(${v})` : v);
  const scalar = wide ? `b${i}[e >> 2u][e & 3u]` : `b${i}[e]`;
  const out: string[] = [];
  if (reads) out.push(`fn ld${i}(e: u32) -> ${type} { return ${up(scalar, "f32")}; }`);
  if (reads && wide) out.push(`fn ld${i}x4(e: u32) -> vec4<${type}> { return ${up(`b${i}[e >> 2u]`, "vec4<f32>")}; }`);
  if (writes) out.push(`fn st${i}(e: u32, v: ${type}) { ${scalar} = ${up("v", "f16")}; }`);
  if (writes && wide) out.push(`fn st${i}x4(e: u32, v: vec4<${type}>) { b${i}[e >> 2u] = ${up("v", "vec4<f16>")}; }`);
  return out;
}
