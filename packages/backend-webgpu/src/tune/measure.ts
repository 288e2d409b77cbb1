/**
 * The measurement of a tile: its time, and a sample of its result for the comparison with the default tile. A tile runs
 * alone on the device, on random operands. Its time includes the sum over splits. The clock is the device's own where
 * it has `timestamp-query`, otherwise the host's. The time is the least of several runs; each run is so long that the
 * cost of a submit does not matter.
 */
/// <reference types="@webgpu/types" />
import { matmulPart, type Tile } from "../matmul/index.ts";
import {
  halfBits,
  plainMatmul,
  preparePart,
  type PlainMatmul,
  type PlainRun,
  type PlainSizes,
} from "../matmul/run-part.ts";
import type { Profile } from "../profile.ts";
import { DEVICE_MEMORY, MAP_READ, usage } from "../runtime/usage.ts";

export interface Measured {
  readonly ms: number;
  /** Elements of the result from evenly spread places, with splits summed. Tiles are compared by this sample. */
  readonly sample: Float32Array;
}

export interface Bench {
  /**
   * Throws the device's error for the kernel. A tile whose first timed run is slower than `dropAboveMs` runs no more.
   */
  readonly measure: (tile: Tile, dropAboveMs: number) => Promise<Measured>;
  readonly destroy: () => void;
}

const repetitions = 4;
/** One timed run lasts about this long, but has at most 50 dispatches. */
const runMs = 4;
/** The sample: number of pieces of the result, and elements of one piece. */
const pieces = { count: 32, elements: 1024 } as const;
/** Sizes whose operands and results fit a binding. It halves the longest side until they fit. */
export function fitting(sizes: PlainSizes, splits: number, bindingBytes: number): PlainSizes {
  const plain = plainMatmul(sizes);
  const bytes = Math.max(
    plain.operands * (sizes.element === "f16" ? 2 : 4),
    plain.result * sizes.problems * splits * 4,
  );
  if (bytes <= bindingBytes) return sizes;
  const longest = (["batch", "m", "n", "k"] as const).reduce((x, y) => (sizes[y] > sizes[x] ? y : x));
  return fitting({ ...sizes, [longest]: Math.ceil(sizes[longest] / 2) }, splits, bindingBytes);
}

/** The largest difference that another order of summation can cause, for operands of at most 1 in size. */
export const tolerance = (sizes: PlainSizes): number => 2e-6 * sizes.k * sizes.terms + 1e-6;

export function openBench(device: GPUDevice, profile: Profile, sizes: PlainSizes): Bench {
  const plain = plainMatmul(sizes);
  const operands = randomOperands(device, plain, sizes.element);
  const clock = device.features.has("timestamp-query") ? deviceClock(device) : wallClock(device);
  return {
    measure: async (tile, dropAboveMs) => {
      const run = await checked(device, () =>
        preparePart(device, plain, matmulPart(plain.spec, tile, profile), tile.splits, operands),
      );
      const sum = tile.splits > 1 ? await splitSum(device, plain, tile.splits, run.results) : undefined;
      try {
        const encode = (pass: GPUComputePassEncoder): void => {
          run.encode(pass);
          sum?.encode(pass);
        };
        // The first run warms up. The second one shows how many dispatches fill the time of one measurement.
        await checked(device, () => clock.time(encode, 1));
        let ms = await clock.time(encode, 1);
        const times = Math.max(1, Math.min(50, Math.floor(runMs / Math.max(ms, 0.01))));
        if (ms <= dropAboveMs)
          for (let i = 0; i < repetitions; i++) ms = Math.min(ms, (await clock.time(encode, times)) / times);
        return { ms, sample: await sampleOf(device, plain, run, tile.splits) };
      } finally {
        run.destroy();
        sum?.destroy();
      }
    },
    destroy: () => {
      operands.destroy();
      clock.destroy();
    },
  };
}

/** Runs `work` and throws the device's errors of it. */
async function checked<T>(device: GPUDevice, work: () => Promise<T>): Promise<T> {
  const scopes = ["validation", "out-of-memory", "internal"] as const;
  for (const scope of scopes) device.pushErrorScope(scope);
  let value: T;
  let errors: readonly (GPUError | null)[] = [];
  try {
    value = await work();
  } finally {
    errors = await Promise.all(scopes.map(() => device.popErrorScope()));
  }
  for (const error of errors) if (error !== null) throw new Error(error.message);
  return value;
}

/** Operands i / 64 with |i| <= 64, which f16 holds exactly. A random block is repeated, which is random enough here. */
function randomOperands(device: GPUDevice, plain: PlainMatmul, element: "f32" | "f16"): GPUBuffer {
  const elements = Math.ceil(plain.operands / 4) * 4;
  const buffer = device.createBuffer({ size: elements * (element === "f16" ? 2 : 4), usage: DEVICE_MEMORY });
  // The block's length is an odd multiple of 4, so that different operands start at different places of the block.
  const block = Float32Array.from(
    { length: Math.min(elements, 999_996) },
    () => Math.floor(Math.random() * 129 - 64) / 64,
  );
  const data = element === "f16" ? Uint16Array.from(block, halfBits) : block;
  for (let at = 0; at < elements; at += data.length)
    device.queue.writeBuffer(buffer, at * data.BYTES_PER_ELEMENT, data, 0, Math.min(data.length, elements - at));
  return buffer;
}

interface Clock {
  /** Resolves to the milliseconds that `times` runs take. */
  readonly time: (encode: (pass: GPUComputePassEncoder) => void, times: number) => Promise<number>;
  readonly destroy: () => void;
}

function wallClock(device: GPUDevice): Clock {
  return {
    time: async (encode, times) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let i = 0; i < times; i++) encode(pass);
      pass.end();
      const commands = encoder.finish();
      await device.queue.onSubmittedWorkDone();
      const start = performance.now();
      device.queue.submit([commands]);
      await device.queue.onSubmittedWorkDone();
      return performance.now() - start;
    },
    destroy: () => undefined,
  };
}

function deviceClock(device: GPUDevice): Clock {
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const QUERY_RESOLVE = 512;
  const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | usage.COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: usage.MAP_READ | usage.COPY_DST });
  return {
    time: async (encode, times) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
      });
      for (let i = 0; i < times; i++) encode(pass);
      pass.end();
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(MAP_READ);
      const [begin = 0n, end = 0n] = new BigUint64Array(staging.getMappedRange().slice(0));
      staging.unmap();
      return Number(end - begin) / 1e6;
    },
    destroy: () => {
      querySet.destroy();
      resolved.destroy();
      staging.destroy();
    },
  };
}

/** A kernel that sums the splits of every problem. In a program a later kernel has this cost. */
async function splitSum(
  device: GPUDevice,
  plain: PlainMatmul,
  splits: number,
  results: GPUBuffer,
): Promise<{ readonly encode: (pass: GPUComputePassEncoder) => void; readonly destroy: () => void }> {
  const elements = plain.result * plain.spec.problems.length;
  const sums = device.createBuffer({ size: elements * 4, usage: DEVICE_MEMORY });
  const groups = Math.min(Math.ceil(elements / 64), 65535);
  const code = `@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
for (var i = id.x; i < ${elements}u; i += ${groups * 64}u) {
let first = i / ${plain.result}u * ${plain.result * splits}u + i % ${plain.result}u;
var sum = 0f;
for (var s = 0u; s < ${splits}u; s++) { sum += parts[first + s * ${plain.result}u]; }
sums[i] = sum;
}
}`;
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [results, sums].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return {
    encode: (pass) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(groups);
    },
    destroy: () => sums.destroy(),
  };
}

async function sampleOf(device: GPUDevice, plain: PlainMatmul, run: PlainRun, splits: number): Promise<Float32Array> {
  const problems = plain.spec.problems.length;
  const length = Math.min(pieces.elements, plain.result);
  const count = Math.min(pieces.count, Math.ceil(plain.result / length));
  const starts = Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.floor(((plain.result - length) * i) / (count - 1)),
  );
  const staging = device.createBuffer({
    size: problems * splits * count * length * 4,
    usage: usage.MAP_READ | usage.COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  let to = 0;
  for (let part = 0; part < problems * splits; part++)
    for (const start of starts) {
      encoder.copyBufferToBuffer(run.results, (part * plain.result + start) * 4, staging, to * 4, length * 4);
      to += length;
    }
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_READ);
  const all = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  const each = count * length;
  return Float32Array.from({ length: problems * each }, (_, i) => {
    const first = Math.floor(i / each) * splits * each + (i % each);
    let sum = 0;
    for (let s = 0; s < splits; s++) sum += all[first + s * each] ?? Number.NaN;
    return sum;
  });
}
