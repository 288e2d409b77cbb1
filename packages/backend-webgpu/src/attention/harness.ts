/**
 * A harness that runs one flash node alone. Each arg and each output has a plain buffer with a loader or a storer. Only
 * tests and the bench use this file; no part of the backend imports it.
 */
/// <reference types="@webgpu/types" />
import { float16ToNumber, numberToFloat16, sizeOf, type DType, type Node, type Tensor } from "@cloze/graph";
import type { Loader, Part, Storer } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { attentionTemplates, type AttentionTemplate } from "./templates.ts";

/** A device and the profile that kernels are written for: the device's own profile, or one that it can emulate. */
export interface Lab {
  readonly device: GPUDevice;
  readonly profile: Profile;
  /** Rewrites the whole text before compilation. */
  readonly rewrite?: (wgsl: string) => string;
}

type Stored = "f32" | "f16" | "i32" | "u32";
const stored = (dtype: DType): Stored => (dtype === "bool" ? "u32" : (dtype as Stored));
const strides = (shape: readonly number[]): number[] => shape.map((_, i) => sizeOf(shape.slice(i + 1)));
const offset = (shape: readonly number[]): string =>
  strides(shape)
    .map((n, i) => `i${i} * ${n}u`)
    .join(" + ");
const params = (shape: readonly number[]): string => shape.map((_, i) => `i${i}: u32`).join(", ");

/** A whole shader for one part. The order of the bindings is args, outputs, params. */
export interface Shader {
  readonly part: Part;
  readonly wgsl: string;
}

export function shaderOf(node: Node<"composite">, outputs: readonly Tensor[], profile: Profile, vec4: boolean): Shader {
  const lines: string[] = [];
  const loaders = node.args.map((x, n): Loader => {
    const element = stored(x.dtype);
    const wide = vec4 && (x.shape.at(-1) as number) % 4 === 0 && element.startsWith("f");
    lines.push(`@group(0) @binding(${n}) var<storage, read> arg${n}: array<${element}>;`);
    lines.push(
      `fn load${n}(${params(x.shape)}) -> ${x.dtype} { return ` +
        `${x.dtype === "bool" ? `arg${n}[${offset(x.shape)}] != 0u` : `arg${n}[${offset(x.shape)}]`}; }`,
    );
    if (wide)
      lines.push(
        `fn load${n}v(${params(x.shape)}) -> vec4<${element}> { let o = ${offset(x.shape)}; return ` +
          `vec4<${element}>(arg${n}[o], arg${n}[o + 1u], arg${n}[o + 2u], arg${n}[o + 3u]); }`,
      );
    return { name: `load${n}`, element: x.dtype as Loader["element"], ...(wide && { vec4: `load${n}v` }) };
  });
  const storers = outputs.map((x, n): Storer => {
    const element = stored(x.dtype);
    const wide = vec4 && (x.shape.at(-1) as number) % 4 === 0;
    lines.push(`@group(0) @binding(${node.args.length + n}) var<storage, read_write> out${n}: array<${element}>;`);
    lines.push(`fn store${n}(${params(x.shape)}, value: f32) { out${n}[${offset(x.shape)}] = ${element}(value); }`);
    if (wide)
      lines.push(
        `fn store${n}v(${params(x.shape)}, value: vec4<f32>) { let o = ${offset(x.shape)}; out${n}[o] = ` +
          `${element}(value.x); out${n}[o + 1u] = ${element}(value.y); out${n}[o + 2u] = ${element}(value.z); ` +
          `out${n}[o + 3u] = ${element}(value.w); }`,
      );
    return { name: `store${n}`, ...(wide && { vec4: `store${n}v` }) };
  });
  const last = node.args.length + outputs.length;
  const { params: p, composite } = node.attrs;
  const streams = (p["dropoutRate"] as number) > 0;
  if (streams) lines.push(`@group(0) @binding(${last}) var<storage, read> params: array<u32>;`);
  const template = attentionTemplates[composite.name] as AttentionTemplate;
  const [part] = template(node, { loaders, storers, stream: "params[0]" }, profile) as [Part];
  return {
    part,
    wgsl: `${part.enables.map((name) => `enable ${name};`).join("\n")}\n${lines.join("\n")}\n${part.body}`,
  };
}

const arrays: {
  readonly [E in Stored]: (from: ArrayLike<number>) => Float32Array | Uint16Array | Int32Array | Uint32Array;
} = {
  f32: (x) => Float32Array.from(x),
  f16: (x) => Uint16Array.from(x, numberToFloat16),
  i32: (x) => Int32Array.from(x),
  u32: (x) => Uint32Array.from(x),
};

export interface Ready {
  /** Encodes and submits `times` dispatches and waits for them. Resolves to the time from submission to end, in ms. */
  readonly run: (times?: number) => Promise<number>;
  readonly read: () => Promise<number[][]>;
  readonly part: Part;
}

/** Compiles the pipeline of `node` and fills its input buffers with `args`. */
export async function prepare(
  { device, profile, rewrite = (x) => x }: Lab,
  node: Node<"composite">,
  outputs: readonly Tensor[],
  args: readonly ArrayLike<number>[],
  vec4 = true,
): Promise<Ready> {
  const { part, wgsl: written } = shaderOf(node, outputs, profile, vec4);
  const wgsl = rewrite(written);
  const { usage, map } = { usage: 0x80 | 0x4 | 0x8, map: 0x1 | 0x8 };
  const buffer = (bytes: number): GPUBuffer => device.createBuffer({ size: Math.ceil(bytes / 4) * 4, usage });
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code: wgsl });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const error = await device.popErrorScope();
  if (error !== null)
    throw new Error(
      `${part.name}: ${error.message}\n${wgsl
        .split("\n")
        .map((line, i) => `${i + 1}: ${line}`)
        .join("\n")}`,
    );
  const inputs = node.args.map((x, n) => {
    const data = arrays[stored(x.dtype)](args[n] as ArrayLike<number>);
    const to = buffer(data.byteLength);
    const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
    padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    device.queue.writeBuffer(to, 0, padded);
    return to;
  });
  const results = outputs.map((x) => buffer(sizeOf(x.shape) * (x.dtype === "f16" ? 2 : 4)));
  const streams = (node.attrs.params["dropoutRate"] as number) > 0 ? [buffer(4)] : [];
  if (streams[0]) device.queue.writeBuffer(streams[0], 0, Uint32Array.of(node.attrs.params["dropoutStream"] as number));
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [...inputs, ...results, ...streams].map((b, binding) => ({ binding, resource: { buffer: b } })),
  });
  return {
    part,
    run: async (times = 1) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      for (let n = 0; n < times; n++) pass.dispatchWorkgroups(...part.grid);
      pass.end();
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return performance.now() - start;
    },
    read: () =>
      Promise.all(
        results.map(async (from, n) => {
          const to = device.createBuffer({ size: from.size, usage: map });
          const encoder = device.createCommandEncoder();
          encoder.copyBufferToBuffer(from, 0, to, 0, from.size);
          device.queue.submit([encoder.finish()]);
          await to.mapAsync(1);
          const bytes = to.getMappedRange().slice(0);
          const size = sizeOf((outputs[n] as Tensor).shape);
          to.destroy();
          return (outputs[n] as Tensor).dtype === "f16"
            ? Array.from(new Uint16Array(bytes).subarray(0, size), float16ToNumber)
            : Array.from(new Float32Array(bytes).subarray(0, size));
        }),
      ),
  };
}
