// A bench of matrix products alone. It checks every tile that the backend considers on samples, and times it.
import {
  matmulPart,
  operandBuffer,
  plainMatmul,
  preparePart,
  readFloats,
  runOnce,
  tileCandidates,
  tileName,
} from "@cloze/backend-webgpu/internal";
import { quantile } from "./modes.mjs";

const NN = { transposeA: false, transposeB: false };
const NT = { transposeA: false, transposeB: true };
const TN = { transposeA: true, transposeB: false };

/**
 * The shapes: square products, and the linear layers of ESM-2 650M on 8,192 tokens. A layer has its forward product
 * (NT: weights are [out, in]), the gradient of its inputs (NN) and the gradient of its weights (TN).
 */
export const shapesOf = (quick) =>
  quick
    ? [
        { m: 64, n: 64, k: 64, ...NN },
        { m: 96, n: 132, k: 70, ...NT },
        { m: 33, n: 64, k: 300, ...TN },
        { m: 128, n: 128, k: 64, batch: 3, ...NN },
      ]
    : [
        { m: 1024, n: 1024, k: 1024, ...NN },
        { m: 4096, n: 4096, k: 4096, ...NN },
        { m: 4096, n: 4096, k: 4096, ...NT },
        { m: 4096, n: 4096, k: 4096, ...TN },
        { m: 8192, n: 1280, k: 1280, ...NT },
        { m: 8192, n: 5120, k: 1280, ...NT },
        { m: 8192, n: 1280, k: 5120, ...NT },
        { m: 8192, n: 1280, k: 5120, ...NN },
        { m: 1280, n: 1280, k: 8192, ...TN },
        { m: 5120, n: 1280, k: 8192, ...TN },
        { m: 32768, n: 320, k: 320, ...NT },
        { m: 320, n: 320, k: 32768, ...TN },
        { m: 5000, n: 33, k: 1280, ...NT },
      ];

const nameOf = ({ m, n, k, batch = 1, transposeA, transposeB }) =>
  `${batch > 1 ? `${batch} x ` : ""}${m}x${n}x${k} ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`;

/** Rows of the table. `opened` is the device of the mode. Only the first `most` candidates of a shape run. */
export async function timeMatmuls({ opened: { device, profile }, mode, quick, log, most = 8 }) {
  const rows = [];
  const element = mode === "f32" ? "f32" : "f16";
  for (const shape of shapesOf(quick)) {
    const sizes = { batch: 1, ...shape, element, problems: 1, terms: 1, rowSums: false };
    const plain = plainMatmul(sizes);
    const name = nameOf(shape);
    const data = operands(plain.operands, element);
    const buffer = operandBuffer(device, data.stored);
    const flops = 2 * sizes.batch * shape.m * shape.n * shape.k;
    for (const tile of tileCandidates(plain.spec, profile).slice(0, most)) {
      const row = { kind: "matmul", name, mode, tile: tileName(tile) };
      try {
        const run = await preparePart(device, plain, matmulPart(plain.spec, tile, profile), tile.splits, buffer);
        runOnce(device, run);
        const error = worst(plain, sizes, tile.splits, data.numbers, await readFloats(device, run.results));
        const ms = await time(device, run, quick ? 20 : 300);
        run.destroy();
        // A product of two f16 numbers is exact in f32, so only the order of the sum causes errors.
        rows.push({ ...row, ms, tflops: flops / ms / 1e9, error, ok: error <= 1e-5 * Math.sqrt(shape.k) });
      } catch (error) {
        rows.push({ ...row, ok: false, failed: String(error.message ?? error) });
      }
      log(rows.at(-1));
    }
    buffer.destroy();
  }
  return rows;
}

/** Numbers that f16 holds exactly: multiples of 1/64 below 1. */
function operands(count, element) {
  const numbers = new Float32Array(count);
  const stored = element === "f32" ? numbers : new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    const whole = ((Math.imul(i + 1, 0x9e3779b1) >>> 9) % 127) - 63;
    numbers[i] = whole / 64;
    if (element === "f16") stored[i] = f16Bits(whole);
  }
  return { numbers, stored };
}

/** The f16 bits of whole / 64, for |whole| < 64. */
function f16Bits(whole) {
  if (whole === 0) return 0;
  const size = Math.abs(whole);
  const e = Math.floor(Math.log2(size));
  return (whole < 0 ? 0x8000 : 0) | ((e - 6 + 15) << 10) | ((size / 2 ** e - 1) * 1024);
}

/**
 * The largest error in 64 places of the result, compared with sums in f64. An error is divided by the square root of
 * the sum of the squared terms.
 */
function worst({ operandAt, result }, { batch, m, n, k, transposeA, transposeB }, splits, numbers, got) {
  let off = 0;
  const [a0, b0] = [operandAt("a", 0, 0), operandAt("b", 0, 0)];
  for (let s = 0; s < 64; s++) {
    const b = s % batch;
    const i = s < 4 ? [0, m - 1, 0, m - 1][s] : (s * 7919) % m;
    const j = s < 4 ? [0, 0, n - 1, n - 1][s] : (s * 104729) % n;
    let want = 0;
    let size = 0;
    let sum = 0;
    for (let l = 0; l < k; l++) {
      const x = numbers[a0 + b * m * k + (transposeA ? l * m + i : i * k + l)];
      const y = numbers[b0 + b * k * n + (transposeB ? j * k + l : l * n + j)];
      want += x * y;
      size += (x * y) ** 2;
    }
    for (let part = 0; part < splits; part++) sum += got[part * result + (b * m + i) * n + j];
    off = Math.max(off, Math.abs(sum - want) / Math.sqrt(size));
  }
  return off;
}

/** The least time of one dispatch, in ms. It times four submits of many dispatches, about `budget` ms in all. */
async function time(device, run, budget) {
  const submit = async (count) => {
    const began = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < count; i++) run.encode(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - began;
  };
  const one = Math.min(await submit(1), await submit(1));
  const count = Math.max(1, Math.min(200, Math.floor(budget / 4 / one)));
  const times = [];
  for (let i = 0; i < 4; i++) times.push((await submit(count)) / count);
  return quantile(times, 0);
}
