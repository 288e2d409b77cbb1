/**
 * The self-test of a device's 16-bit floats: one dispatch, whose results are compared with JavaScript.
 *
 * It tests conversion both ways (at most one unit in the last place; exact where it must be), the largest finite
 * number, neighbours in one 4-byte word that different invocations write, vec4 loads and stores, products summed in f32
 * beyond the range of f16, and exp. Numbers below 6.1e-5 may be 0; WGSL allows this. The kernel stores each number and
 * loads it again before use. Otherwise a driver could drop the conversion to f16 and back (lavapipe does), and the
 * result would be too exact.
 */
import { float16ToNumber, numberToFloat16 } from "@cloze/graph";
import { messageOf } from "./errors.ts";
import { MAP_READ, usage } from "./usage.ts";

const COUNT = 64;

const WGSL = `enable f16;
@group(0) @binding(0) var<storage, read> numbers: array<f32>;
@group(0) @binding(1) var<storage, read_write> halves: array<f16>;
@group(0) @binding(2) var<storage, read_write> quads: array<vec4<f16>>;
@group(0) @binding(3) var<storage, read_write> results: array<f32>;
@compute @workgroup_size(${COUNT}) fn main(@builtin(local_invocation_index) i: u32) {
  halves[i] = f16(numbers[i]);
  storageBarrier();
  workgroupBarrier();
  if (i < ${COUNT / 4}u) {
    let v = vec4<f16>(halves[4u * i], halves[4u * i + 1u], halves[4u * i + 2u], halves[4u * i + 3u]);
    quads[i] = v.wzyx;
  }
  results[i] = f32(halves[i]);
  var sum = 0.0;
  for (var k = 0u; k <= i; k++) { sum = fma(f32(halves[k]), f32(halves[k]), sum); }
  results[${COUNT}u + i] = sum;
  results[${2 * COUNT}u + i] = f32(exp(f16(f32(i) / 8.0)));
}`;

/** Numbers that f16 holds exactly. They must come back unchanged. */
const EXACT = [0, 1, -1, 0.5, 2, 2048, -2047, 65504, -65504, 0.00006103515625, 1.0009765625, 300, -300, 0.25, 1024, 3];

const inputs = (): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: COUNT }, (_, i) => EXACT[i] ?? Math.fround((i % 2 === 0 ? 1 : -1) * 1.37 ** (i - 30)));

/** Runs the self-test. Resolves to undefined where it passes, otherwise to a text with the fault. */
export async function checkF16(device: GPUDevice): Promise<string | undefined> {
  const buffers: GPUBuffer[] = [];
  const buffer = (size: number, flags: number): GPUBuffer => {
    const made = device.createBuffer({ size, usage: flags });
    buffers.push(made);
    return made;
  };
  device.pushErrorScope("validation");
  let scoped = true;
  try {
    const numbers = inputs();
    const sizes = [2 * COUNT, 2 * COUNT, 12 * COUNT] as const;
    const total = 16 * COUNT;
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: { module: device.createShaderModule({ code: WGSL }), entryPoint: "main" },
    });
    const source = buffer(4 * COUNT, usage.STORAGE | usage.COPY_DST);
    const outs = sizes.map((size) => buffer(size, usage.STORAGE | usage.COPY_SRC));
    const back = buffer(total, usage.MAP_READ | usage.COPY_DST);
    device.queue.writeBuffer(source, 0, numbers);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [source, ...outs].map((b, binding) => ({ binding, resource: { buffer: b } })),
      }),
    );
    pass.dispatchWorkgroups(1);
    pass.end();
    let at = 0;
    outs.forEach((out, i) => {
      encoder.copyBufferToBuffer(out, 0, back, at, sizes[i] as number);
      at += sizes[i] as number;
    });
    device.queue.submit([encoder.finish()]);
    const error = device.popErrorScope();
    scoped = false;
    const said = await error;
    if (said !== null) return `its kernel is refused: ${said.message.split("\n")[0]}`;
    await back.mapAsync(MAP_READ);
    return judgeF16(numbers, back.getMappedRange().slice(0));
  } catch (error) {
    return `its kernel does not run: ${messageOf(error)}`;
  } finally {
    if (scoped) await device.popErrorScope().catch(() => null);
    for (const each of buffers) each.destroy();
  }
}

/**
 * Compares the results with JavaScript. `bytes` holds the halves, the quads (each in reverse order), then three rows of
 * f32: the conversions back, the running sums of squares, and exp of i / 8.
 */
export function judgeF16(numbers: Float32Array, bytes: ArrayBuffer): string | undefined {
  const halves = new Uint16Array(bytes, 0, COUNT);
  const quads = new Uint16Array(bytes, 2 * COUNT, COUNT);
  const results = new Float32Array(bytes, 4 * COUNT);
  let sum = 0;
  for (let i = 0; i < COUNT; i++) {
    const x = numbers[i] as number;
    const bits = halves[i] as number;
    const got = float16ToNumber(bits);
    const square = got * got;
    if (!converts(x, got)) return `f16(${x}) is ${got}`;
    if (results[i] !== got && !(Math.abs(got) < SMALLEST && results[i] === 0))
      return `f32(f16(${x})) is ${results[i]}, its bits say ${got}`;
    if (quads[(i & ~3) + 3 - (i & 3)] !== bits) return `a vec4 of f16 holds other bits at ${i} than were stored`;
    sum += square;
    if (!near(results[COUNT + i] as number, sum, 1e-5))
      return `a sum of ${i + 1} products in f32 is ${results[COUNT + i]}, expected ${sum}`;
    const power = Math.exp(i / 8);
    const e = results[2 * COUNT + i] as number;
    if (!near(e, power, 0.02)) return `exp(${i / 8}) in f16 is ${e}, expected ${power}`;
  }
  return undefined;
}

/** The smallest normal number of f16. Below it WGSL lets a device write 0. */
const SMALLEST = 2 ** -14;

const near = (got: number, want: number, share: number): boolean =>
  Math.abs(got - want) <= share * Math.abs(want) + 1e-6;

function converts(x: number, got: number): boolean {
  const nearest = float16ToNumber(numberToFloat16(x));
  if (nearest === x) return got === x;
  if (Math.abs(x) < SMALLEST) return Math.abs(got - x) <= SMALLEST;
  // Both neighbours in f16, which has 11 significant bits, are correct.
  return Math.abs(got - x) <= 2 ** (Math.floor(Math.log2(Math.abs(x))) - 10);
}
