/**
 * The maker of step-times.json: seconds of a training step by the number of rows, for the page's models, on
 * TensorFlow.js with WebAssembly and on WebGPU (SwiftShader, lavapipe or a GPU, as the machine has it), in Node. The
 * rule that foretells the time of a step is tested with them (src/worker/step-time.test.ts). By hand, for one backend or
 * both; what the other has in the file stays:
 *
 *   npx tsx --conditions=@cloze/source apps/demo/test/step-times.ts [wasm|webgpu]
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Backend } from "@cloze/backend";
import { packedBatches, type Dataset } from "@cloze/data";
import { initialize } from "@cloze/nn";
import { esm2 } from "@cloze/tokenizer-protein";
import { prepareStep, Programs, type StepOptions } from "@cloze/trainer/step";
import type { Settings } from "../src/protocol.ts";
import { modelOf, newConfig, objectiveOf, optimizerOf } from "../src/worker/model.ts";

const CASES: readonly (Pick<Settings, "size" | "optimizer" | "length"> & { readonly rows: readonly number[] })[] = [
  { size: "tiny", optimizer: "adamw", length: 64, rows: [1, 2, 4, 8, 16, 32] },
  { size: "tiny", optimizer: "muon", length: 128, rows: [1, 2, 4, 8, 16] },
  { size: "small", optimizer: "adamw", length: 64, rows: [1, 2, 4, 8] },
  { size: "medium", optimizer: "adamw", length: 64, rows: [1, 2, 3, 4] },
];
/** The fastest of so many steps, after one that warms up. */
const TRIES = 3;

const backends: readonly (readonly [string, () => Promise<Backend>])[] = [
  ["wasm", async () => (await import("@cloze/backend-tfjs")).backend({ kind: "wasm" })],
  ["webgpu", async () => (await import("@cloze/backend-webgpu")).backend()],
];

async function seconds(backend: Backend, settings: Settings): Promise<number> {
  const tokenizer = esm2();
  const objective = await objectiveOf(settings, tokenizer);
  const model = await modelOf(await newConfig("protein", settings.size), settings.size, objective, tokenizer);
  const { pad, start, end } = tokenizer.special;
  const { length } = settings;
  const ids = Uint16Array.from({ length: length - 2 }, (_, i) => tokenizer.regularIds[(i * 7) % 20] as number);
  const data: Dataset = { size: 64, lengthOf: () => ids.length, read: () => ids };
  const special = { pad, ...(start !== undefined && { start }), ...(end !== undefined && { end }) };
  const steps: StepOptions = {
    backend,
    source: model.source,
    objective,
    optimizer: optimizerOf(settings),
    clip: 1,
    batches: packedBatches(data, { seed: 0, length, rowsPerBatch: settings.rows, special }),
    accumulate: 1,
    weights: initialize(model.parameters, 0),
    seed: 0,
  };
  const programs = new Programs(steps, 0);
  const session = await programs.start(await prepareStep(steps, 0));
  let fastest = Infinity;
  for (let number = 0; number <= TRIES; number++) {
    const began = performance.now();
    const prepared = await prepareStep(steps, number);
    await (
      await programs.call(session, { number, prepared, lr: 1e-6, lossScale: undefined })
    ).done;
    if (number > 0) fastest = Math.min(fastest, (performance.now() - began) / 1000);
  }
  await session.dispose();
  return Number(fastest.toPrecision(3));
}

const file = fileURLToPath(new URL("step-times.json", import.meta.url));
const [only] = process.argv.slice(2);
const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { readonly backend: string }[]) : [];
const chosen = backends.filter(([name]) => only === undefined || name === only);
const found: object[] = before.filter(({ backend }) => chosen.every(([name]) => name !== backend));
for (const [name, open] of chosen) {
  const backend = await open();
  for (const { size, optimizer, length, rows } of CASES) {
    const timed: { readonly rows: number; readonly seconds: number }[] = [];
    for (const count of rows) {
      const settings: Settings = {
        side: "protein",
        size,
        objective: "mlm",
        optimizer,
        lr: 1e-3,
        steps: 1,
        length,
        rows: count,
        seed: 0,
      };
      timed.push({ rows: count, seconds: await seconds(backend, settings) });
    }
    const device = backend.capabilities.device;
    console.log(JSON.stringify({ backend: name, device, size, optimizer, length, timed }));
    found.push({ backend: name, device, size, optimizer, length, timed });
    writeFileSync(file, `${JSON.stringify(found, undefined, 2)}\n`);
  }
  await backend.dispose();
}
