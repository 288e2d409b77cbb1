/**
 * A harness that runs one matmul kernel alone over plain buffers, for tests and for tuning. One buffer holds all
 * operands and another all results. Any number of problems and terms thus stays within the limit on bindings.
 */
/// <reference types="@webgpu/types" />
import type { Loader, Part, Storer } from "../kernel.ts";
import type { MatmulSpec } from "../matmul-spec.ts";
import { DEVICE_MEMORY, MAP_READ, usage } from "../runtime/usage.ts";

export interface PlainSizes extends Omit<MatmulSpec, "problems"> {
  readonly problems: number;
  readonly terms: number;
  readonly rowSums: boolean;
}

/** A spec over plain buffers, and the layout of these buffers in elements. */
export interface PlainMatmul {
  readonly spec: MatmulSpec;
  /** Elements of all operands. */
  readonly operands: number;
  /** First element of A or B of one term of a problem. */
  readonly operandAt: (side: "a" | "b", problem: number, term: number) => number;
  /** Elements of one problem's result, and of its row sums, in one split. */
  readonly result: number;
  readonly sums: number;
  /** The text of the whole module. `splits` is that of the tile. */
  readonly wgsl: (part: Part, splits: number) => string;
}

export function plainMatmul(sizes: PlainSizes): PlainMatmul {
  const { batch, m, n, k, transposeA, transposeB, element } = sizes;
  const up4 = (x: number): number => Math.ceil(x / 4) * 4;
  const [sizeA, sizeB] = [up4(batch * m * k), up4(batch * k * n)];
  const operandAt = (side: "a" | "b", problem: number, term: number): number =>
    (problem * sizes.terms + term) * (sizeA + sizeB) + (side === "a" ? 0 : sizeA);
  const each = <T>(c: number, f: (i: number) => T): T[] => Array.from({ length: c }, (_, i) => f(i));
  const loader = (side: "a" | "b", i: number, t: number): Loader => ({
    name: `load_${side}${i}_${t}`,
    vec4: `load4_${side}${i}_${t}`,
    element,
  });
  const storer = (i: number): Storer => ({ name: `store${i}`, vec4: `store4_${i}` });
  const problems = each(sizes.problems, (i) => ({
    terms: each(sizes.terms, (t) => ({ a: loader("a", i, t), b: loader("b", i, t) })),
    store: storer(i),
    ...(sizes.rowSums ? { rowSums: { name: `storeSum${i}` } } : {}),
  }));
  const [rowsA, columnsA] = transposeA ? [k, m] : [m, k];
  const [rowsB, columnsB] = transposeB ? [n, k] : [k, n];
  const [result, sums] = [batch * m * n, batch * m];
  const wideStore = n % 4 === 0;
  const spec: MatmulSpec = { batch, m, n, k, transposeA, transposeB, element, problems };
  const operands = sizes.problems * sizes.terms * (sizeA + sizeB);

  const wgsl = (part: Part, splits: number): string => {
    const load = (side: "a" | "b", i: number, t: number): string => {
      const [rows, columns] = side === "a" ? [rowsA, columnsA] : [rowsB, columnsB];
      const at = `(${operandAt(side, i, t)}u + (b * ${rows}u + i) * ${columns}u + j)`;
      const one = `operands[${at} / 4u][${at} % 4u]`;
      return `fn load_${side}${i}_${t}(b: u32, i: u32, j: u32) -> ${element} { return ${one}; }
fn load4_${side}${i}_${t}(b: u32, i: u32, j: u32) -> vec4<${element}> { return operands[${at} / 4u]; }`;
    };
    const at = (i: number): string => `(${i * result * splits}u + (b * ${m}u + i) * ${n}u + j)`;
    const functions = problems.flatMap((_, i) => [
      ...each(sizes.terms, (t) => `${load("a", i, t)}\n${load("b", i, t)}`),
      wideStore
        ? `fn store4_${i}(b: u32, i: u32, j: u32, value: vec4<f32>) { results[${at(i)} / 4u] = value; }`
        : `fn store${i}(b: u32, i: u32, j: u32, value: f32) { results[${at(i)}] = value; }`,
      ...(sizes.rowSums
        ? [`fn storeSum${i}(b: u32, i: u32, value: f32) { sums[${i * sums * splits}u + b * ${m}u + i] = value; }`]
        : []),
    ]);
    return [
      ...part.enables.map((e) => `enable ${e};`),
      `@group(0) @binding(0) var<storage, read> operands: array<vec4<${element}>>;`,
      `@group(0) @binding(1) var<storage, read_write> results: array<${wideStore ? "vec4<f32>" : "f32"}>;`,
      ...(sizes.rowSums ? ["@group(0) @binding(2) var<storage, read_write> sums: array<f32>;"] : []),
      ...functions,
      part.body,
    ].join("\n");
  };
  return { spec, operands, operandAt, result, sums, wgsl };
}

/** A kernel that is ready to run. `encode` adds its dispatch to a pass; `results` and `sums` are its outputs. */
export interface PlainRun {
  readonly encode: (pass: GPUComputePassEncoder) => void;
  readonly results: GPUBuffer;
  readonly sums: GPUBuffer | undefined;
  readonly destroy: () => void;
}

export async function preparePart(
  device: GPUDevice,
  plain: PlainMatmul,
  part: Part,
  splits: number,
  operands: GPUBuffer,
): Promise<PlainRun> {
  const module = device.createShaderModule({ code: plain.wgsl(part, splits), label: part.name });
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module, entryPoint: "main" },
    label: part.name,
  });
  const count = plain.spec.problems.length * splits;
  const output = (elements: number): GPUBuffer => device.createBuffer({ size: elements * 4, usage: DEVICE_MEMORY });
  const results = output(plain.result * count);
  const sums = plain.spec.problems.some((p) => p.rowSums !== undefined) ? output(plain.sums * count) : undefined;
  const buffers = [operands, results, ...(sums === undefined ? [] : [sums])];
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return {
    encode: (pass) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...part.grid);
    },
    results,
    sums,
    destroy: () => {
      results.destroy();
      sums?.destroy();
    },
  };
}

/** The bits of x as an f16. x must be i / 64 with |i| <= 64, which f16 holds exactly. */
export function halfBits(x: number): number {
  if (x === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(x)));
  return (x < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(x) / 2 ** exponent - 1) * 1024);
}

/** A device buffer with operands in f32, or in f16 given as bits. */
export function operandBuffer(
  device: GPUDevice,
  data: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>,
): GPUBuffer {
  const buffer = device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage: DEVICE_MEMORY });
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

export function runOnce(device: GPUDevice, run: PlainRun): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  run.encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

export async function readFloats(device: GPUDevice, buffer: GPUBuffer): Promise<Float32Array<ArrayBuffer>> {
  const staging = device.createBuffer({ size: buffer.size, usage: usage.MAP_READ | usage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_READ);
  const floats = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return floats;
}
