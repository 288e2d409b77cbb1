// A bench of the two scatters (the gradient of an embedding): the time to run, and the time to make the pipelines.
//
//   node --import tsx --conditions=@cloze/source packages/backend-webgpu/src/scatter/scatter.bench.ts [--rounds 5]
//   [--quick]
//
// The dense scatter exists only for few rows.
import { parseArgs } from "node:util";
import { denseParts, denseRows } from "./dense.ts";
import { sortedParts } from "./sorted.ts";
import { openDevice } from "../runtime/device.ts";
import { isNotHere } from "../runtime/gpu.ts";
import { runnerOf, specOf } from "./test/run.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, quick: { type: "boolean", default: false } },
});
const opened = await openDevice();
if (isNotHere(opened)) throw new Error(`${opened.reason}. ${opened.remedy}`);
const { device, profile } = opened;
console.log(profile.device);

// Indices by Zipf's law, of which an eighth is [MASK], as in a text.
const zipf = (i: number, size: number): number =>
  i % 8 === 3 ? 103 % size : Math.min(size - 1, Math.floor(size ** ((Math.imul(i, 0x9e3779b1) >>> 0) / 2 ** 32)) - 1);
const shapes = [
  { count: 4096, width: 320, size: 33 },
  { count: 4096, width: 1, size: 4128 },
  { count: 4096, width: 768, size: 30522 },
  ...(values.quick
    ? []
    : [
        { count: 32768, width: 320, size: 33 },
        { count: 32768, width: 384, size: 30522 },
      ]),
];
for (const shape of shapes) {
  const indices = Int32Array.from({ length: shape.count }, (_, i) => zipf(i, shape.size));
  const updates = new Float32Array(shape.count * shape.width).fill(0.5);
  for (const [way, make] of Object.entries({ dense: denseParts, sorted: sortedParts })) {
    if (way === "dense" && shape.size > denseRows(profile)) continue;
    const { spec, functions } = specOf(shape, "f32", true);
    const parts = make(spec, profile);
    const began = performance.now();
    const runner = await runnerOf(device, parts, functions, shape.size * shape.width, indices, updates);
    const made = performance.now() - began;
    const times: number[] = [];
    for (let i = 0; i < Number(values.rounds) + 1; i++) times.push((await runner.run()).ms);
    runner.end();
    times.shift();
    console.log(
      `${shape.count} x ${shape.width} onto ${shape.size}`.padEnd(28),
      way.padEnd(7),
      `${Math.min(...times).toFixed(2)} ms`.padStart(10),
      ` pipelines ${made.toFixed(0)} ms`,
      parts.parts.map((p) => p.name).join(", "),
    );
  }
}
opened.close();
