/**
 * A harness that runs scatter parts on a device over plain arrays. It writes the bindings, the loaders and the storer,
 * which the compiler writes in a real program.
 */
/// <reference types="@webgpu/types" />
import { MAP_READ as MAP_READ_MODE, usage } from "../../runtime/usage.ts";
import type { ScatterParts, ScatterSpec } from "../scatter.ts";

export type Numbers = Float32Array | Int32Array | Float16Bits;
/** The bits of f16 numbers. */
export type Float16Bits = Uint16Array;

const scalarOf = (numbers: Numbers): "f32" | "i32" | "f16" =>
  numbers instanceof Float32Array ? "f32" : numbers instanceof Int32Array ? "i32" : "f16";

/** The spec of a scatter of `updates` [count, width], and the text of its loaders and storer. */
export function specOf(
  shape: { readonly count: number; readonly width: number; readonly size: number },
  element: "f32" | "i32" | "f16",
  vec4: boolean,
): { readonly spec: ScatterSpec; readonly functions: string } {
  const value = element === "i32" ? "i32" : "f32";
  const { width } = shape;
  const flat = `i * ${width}u + j`;
  return {
    spec: {
      ...shape,
      index: { name: "indexAt", element: "i32" },
      update: { name: "updateAt", element, ...(vec4 && { vec4: "updatesAt" }) },
      store: { name: "keep", ...(vec4 && { vec4: "keep4" }) },
    },
    functions:
      `fn indexAt(i: u32) -> i32 { return indices[i]; }
fn updateAt(i: u32, j: u32) -> ${element} { return updates[${flat}]; }
fn updatesAt(i: u32, j: u32) -> vec4<${element}> { let p = ${flat}; ` +
      `return vec4<${element}>(updates[p], updates[p + 1u], updates[p + 2u], updates[p + 3u]); }
fn keep(i: u32, j: u32, value: ${value}) { result[${flat}] = value; }
fn keep4(i: u32, j: u32, value: vec4<${value}>) { for (var k = 0u; k < 4u; k++) { result[${flat} + k] = value[k]; } }
`,
  };
}

export interface Runner {
  /** Resolves to the milliseconds until the device is done, and the result. */
  readonly run: () => Promise<{ readonly ms: number; readonly out: Float32Array | Int32Array }>;
  readonly end: () => void;
}

/**
 * Makes pipelines and buffers once. The result and all scratch memory hold garbage before each run, because no kernel
 * may rely on zeros.
 */
export async function runnerOf(
  device: GPUDevice,
  { parts, scratch }: ScatterParts,
  functions: string,
  size: number,
  indices: Int32Array,
  updates: Numbers,
): Promise<Runner> {
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = usage;
  const made: GPUBuffer[] = [];
  const buffer = (bytes: number, bits: number): GPUBuffer => {
    const one = device.createBuffer({ size: Math.ceil(bytes / 4) * 4, usage: bits });
    made.push(one);
    return one;
  };
  const upload = (data: Numbers): GPUBuffer => {
    const one = buffer(data.byteLength, STORAGE | COPY_DST);
    const bytes = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    device.queue.writeBuffer(one, 0, bytes);
    return one;
  };
  const outBytes = size * 4;
  const scalar = scalarOf(updates);
  const value = scalar === "i32" ? "i32" : "f32";
  const result = buffer(outBytes, STORAGE | COPY_SRC | COPY_DST);
  const back = buffer(outBytes, MAP_READ | COPY_DST);
  const all = [
    { name: "indices", element: "i32", access: "read", buffer: upload(indices), of: ["indexAt"] },
    { name: "updates", element: scalar, access: "read", buffer: upload(updates), of: ["updateAt", "updatesAt"] },
    { name: "result", element: value, access: "read_write", buffer: result, of: ["keep", "keep4"] },
    ...scratch.map((s) => ({
      name: s.name,
      element: s.element,
      access: "read_write",
      buffer: buffer(s.size * 4, STORAGE | COPY_DST),
      of: [s.name],
    })),
  ];
  device.pushErrorScope("validation");
  const steps = parts.map((part) => {
    const bound = all.filter((b) => b.of.some((name) => part.uses.includes(name)));
    const header = part.enables.map((f) => `enable ${f};\n`).join("");
    const bindings = bound
      .map((b, i) => `@group(0) @binding(${i}) var<storage, ${b.access}> ${b.name}: array<${b.element}>;\n`)
      .join("");
    const own = functions
      .split("\n")
      .filter((line) => bound.some((b) => b.of.some((name) => line.startsWith(`fn ${name}(`))))
      .join("\n");
    const code = `${header}${bindings}${own}\n${part.body}`;
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
    });
    return {
      pipeline,
      grid: part.grid,
      group: device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: bound.map((b, binding) => ({ binding, resource: { buffer: b.buffer } })),
      }),
    };
  });
  const error = await device.popErrorScope();
  if (error !== null) throw new Error(error.message);
  const garbage = new Uint32Array(Math.max(...all.map((b) => b.buffer.size)) / 4).fill(0x7f123456);
  return {
    run: async () => {
      for (const b of all)
        if (b.access === "read_write") device.queue.writeBuffer(b.buffer, 0, garbage, 0, b.buffer.size / 4);
      await device.queue.onSubmittedWorkDone();
      const began = performance.now();
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { pipeline, grid, group } of steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...grid);
      }
      pass.end();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      const ms = performance.now() - began;
      const copy = device.createCommandEncoder();
      copy.copyBufferToBuffer(result, 0, back, 0, outBytes);
      device.queue.submit([copy.finish()]);
      await back.mapAsync(MAP_READ_MODE);
      const bytes = back.getMappedRange().slice(0);
      back.unmap();
      return { ms, out: value === "i32" ? new Int32Array(bytes) : new Float32Array(bytes) };
    },
    end: () => made.forEach((b) => b.destroy()),
  };
}
