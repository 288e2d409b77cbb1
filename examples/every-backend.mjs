// The same training steps on every backend that can run on this machine, one after another, and a table of the results.
//
//   node examples/every-backend.mjs [--steps 20] [--only onnxruntime,tfjs:wasm]
//
// Each backend runs in a process of its own, so that the peak memory is that of the backend alone. The model is a small
// ESM-2; the data are the proteins that come with cloze. The losses of different backends agree to a few digits in the
// sixth place.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const backends = {
  webgpu: () => import("@cloze/backend-webgpu"),
  onnxruntime: () => import("@cloze/backend-onnxruntime"),
  ...Object.fromEntries(
    ["node-gpu", "node", "wasm", "cpu"].map((kind) => [
      `tfjs:${kind}`,
      async () => {
        const tfjs = await import("@cloze/backend-tfjs");
        return { probe: () => tfjs.probe(kind), backend: () => tfjs.backend({ kind }) };
      },
    ]),
  ),
  reference: () => import("@cloze/backend-reference"),
};

const { values: options } = parseArgs({
  options: {
    steps: { type: "string", default: "20" },
    only: { type: "string" },
    child: { type: "string" },
    smoke: { type: "boolean", default: false },
  },
});
const steps = options.smoke ? 2 : Number(options.steps);
if (options.child) console.log(JSON.stringify(await trained(await backends[options.child]())));
else table();

async function trained({ probe, backend: open }) {
  const found = await probe();
  if (!found.available) return { why: found.reason };
  const [
    { esm2, parseEsm2Config },
    { initialize, maskedLmParameters },
    { esm2: tokens },
    { packedBatches },
    { fastaDatasets },
    { mlm },
    { adamw },
    { stepProgram, initialState },
    { feedTypes },
  ] = await Promise.all([
    import("@cloze/models/esm2"),
    import("@cloze/nn"),
    import("@cloze/tokenizer-protein"),
    import("@cloze/data"),
    import("@cloze/data/node"),
    import("@cloze/objective-mlm"),
    import("@cloze/optim"),
    import("@cloze/trainer"),
    import("@cloze/objective"),
  ]);
  const size = { hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 256 };
  const model = esm2(
    parseEsm2Config({
      model_type: "esm",
      vocab_size: 33,
      max_position_embeddings: 258,
      pad_token_id: 1,
      mask_token_id: 32,
      token_dropout: true,
      position_embedding_type: "rotary",
      layer_norm_eps: 1e-5,
      emb_layer_norm_before: false,
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
      ...size,
    }),
  );
  const tokenizer = tokens();
  const objective = mlm(tokenizer);
  const optimizer = adamw({ weightDecay: 0.01 });
  const { train } = await fastaDatasets(
    [fileURLToPath(new URL("../apps/cli/sample/uniprot-sample.fasta.gz", import.meta.url))],
    { tokenizer, split: { seed: 0, valid: 0.05 } },
  );
  const batches = packedBatches(train, { seed: 1, length: 128, rowsPerBatch: 4, special: tokenizer.special });
  const prepared = async (step) => objective.prepare(await batches.batchAt(step), { seed: 1, step, evaluation: false });

  const setup = { source: { name: "tiny", model }, objective, optimizer, clip: 1 };
  const backend = await open();
  const program = stepProgram(setup, feedTypes(await prepared(0)));
  const executable = await backend.compile(program);
  const session = await backend.start(initialState([program], initialize(maskedLmParameters(model), 1)));
  const losses = [];
  const ms = [];
  for (let step = 0; step < steps; step++) {
    const { feeds } = await prepared(step);
    const key = { dtype: "u32", shape: [2], data: Uint32Array.of(1, step) };
    const began = performance.now();
    const known = new Set(program.feeds.map((feed) => feed.attrs.name));
    const given = { ...feeds, ...optimizer.hostScalars(step + 1, 2e-3), "random.key": key };
    const out = await session.run(
      executable,
      Object.fromEntries(Object.entries(given).filter(([name]) => known.has(name))),
    );
    losses.push(out.loss.data[0] / out.weight.data[0]);
    ms.push(performance.now() - began);
  }
  await backend.dispose();
  return {
    device: found.device,
    losses,
    ms: ms.slice(1).sort((a, b) => a - b)[Math.floor((steps - 2) / 2)],
    peakMiB: process.resourceUsage().maxRSS / 1024,
  };
}

function table() {
  const rows = [["backend", "device", ...shown().map((s) => `loss ${s}`), "ms", "peak MiB"]];
  const not = [];
  for (const name of options.only?.split(",") ?? Object.keys(backends)) {
    const args = [...process.execArgv, fileURLToPath(import.meta.url), "--child", name, "--steps", String(steps)];
    const { why, device, losses, ms, peakMiB } = JSON.parse(
      execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
        .trim()
        .split("\n")
        .at(-1),
    );
    if (why) not.push(`${name}: ${why}`);
    else
      rows.push([
        name,
        device.slice(0, 26),
        ...shown().map((s) => losses[s - 1].toFixed(5)),
        ms.toFixed(1),
        peakMiB.toFixed(0),
      ]);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "));
  for (const line of not) console.log(`not here: ${line}`);
}

function shown() {
  return [1, Math.ceil(steps / 2), steps];
}
