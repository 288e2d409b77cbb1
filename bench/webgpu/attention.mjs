// A bench of the attention kernels alone. It compares each mask with full attention, since the time falls with the
// number of blocks that a mask lets the kernels skip.
//
//   node --import tsx --conditions=@cloze/source bench/webgpu/attention.mjs [--batch 1] [--heads 4] [--head-dim 64]
//     [--length 512] [--element f32|f16] [--matrix] [--documents 8] [--rounds 3] [--json FILE]
//
// `forward` is one kernel. `backward` is the kernel for dq and the kernel for dk and dv (log-sum-exp and delta are
// inputs). Times in ms are those of the fastest round; ratios are to full attention. `visited` is the share of the
// pairs of blocks that the kernels do not skip. --matrix asks for matrix units, which need f16. On a machine with
// several adapters choose one with VK_DRIVER_FILES.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { attention, castPolicyRules, grad, Graph, order, rewrite } from "@cloze/graph";
import { attentionRules, isFlash, openDevice, prepareAttention as prepare } from "@cloze/backend-webgpu/internal";

const { values: options } = parseArgs({
  options: {
    batch: { type: "string", default: "1" },
    heads: { type: "string", default: "4" },
    "head-dim": { type: "string", default: "64" },
    length: { type: "string", default: "512" },
    element: { type: "string", default: "f32" },
    matrix: { type: "boolean", default: false },
    documents: { type: "string", default: "8" },
    rounds: { type: "string", default: "3" },
    json: { type: "string" },
  },
});
const [batch, heads, headDim, length, documents, rounds] = [
  "batch",
  "heads",
  "head-dim",
  "length",
  "documents",
  "rounds",
].map((name) => Number(options[name]));
if (!["f32", "f16"].includes(options.element))
  throw new Error(`bench: --element: expected f32 or f16, got ${options.element}`);

const opened = await openDevice({ subgroupMatrix: options.matrix });
if (!("device" in opened)) throw new Error(`bench: ${opened.reason}. ${opened.remedy}`);
if (options.element === "f16" && !opened.profile.f16)
  throw new Error(`bench: --element f16: ${opened.profile.device} has no 16-bit floats`);

const masks = {
  full: {},
  causal: { causal: true },
  [`${documents} documents a row`]: { documents },
  ...Object.fromEntries(
    [length / 4, length / 16, 64, 8]
      .filter((w, i, all) => w >= 1 && all.indexOf(w) === i)
      .map((w) => [`window ${Math.floor(w)}`, { window: Math.floor(w) }]),
  ),
};
const segmentOf = (i, { documents: n }) => (n === undefined ? 0 : Math.floor((i * n) / length));

/** The share of the pairs of blocks that must be visited, by the spans of their positions and ids. */
function visited(mask, { queryBlock, keyBlock }) {
  const blocks = (size) =>
    Array.from({ length: Math.ceil(length / size) }, (_, t) => ({
      from: t * size,
      to: Math.min(length, (t + 1) * size) - 1,
    }));
  const queries = blocks(queryBlock);
  const keys = blocks(keyBlock);
  const window = mask.window ?? length;
  const sees = (q, k) =>
    (!mask.causal || k.from <= q.to) &&
    k.from <= q.to + window &&
    q.from <= k.to + window &&
    segmentOf(k.from, mask) <= segmentOf(q.to, mask) &&
    segmentOf(k.to, mask) >= segmentOf(q.from, mask);
  return queries.reduce((n, q) => n + keys.filter((k) => sees(q, k)).length, 0) / (queries.length * keys.length);
}

/** The fastest of some rounds, in ms a run. A round is as many runs as take 20 ms. */
async function timed({ run }) {
  await run();
  const one = await run();
  const times = Math.max(1, Math.ceil(20 / one));
  const all = [];
  for (let i = 0; i < rounds; i++) all.push((await run(times)) / times);
  return Math.min(...all);
}

async function measure(mask) {
  const g = new Graph();
  const [q, k, v] = ["q", "k", "v"].map((name) => g.input(name, "f32", [batch, heads, length, headDim]));
  const segments = mask.documents === undefined ? undefined : g.input("segments", "i32", [batch, length]);
  const y = attention(q, k, v, {
    ...(segments && { segments }),
    ...(mask.causal && { causal: true }),
    ...(mask.window && { window: mask.window }),
  });
  const cast = options.element === "f16" ? castPolicyRules("f16") : [];
  const { roots } = rewrite(
    rewrite([y, ...grad(y.sum(), [q, k, v])], cast, "f16").roots,
    attentionRules(opened.profile),
    "attention",
  );
  const kernels = new Map(
    order(roots)
      .filter(isFlash)
      .map((x) => [x.attrs.composite.name, x]),
  );
  const row = { forward: 0, backward: 0, share: 0, names: [] };
  if (kernels.size !== 3)
    throw new Error(
      `bench: expected three attention kernels on ${opened.profile.device}, got ${kernels.size}: this size is ` +
        "left to plain kernels there",
    );
  for (const [name, x] of kernels) {
    const args = x.args.map((a, n) => filled(a, n, x, mask));
    const ready = await prepare(opened, x, g.call(x.attrs.composite, x.args, x.attrs.params), args);
    row[name === "flashForward" ? "forward" : "backward"] += await timed(ready);
    row.names.push(ready.part.name);
    if (name === "flashForward") row.share = visited(mask, x.attrs.params);
  }
  return row;
}

/** Values of an arg: small numbers, or the marks that `rules.ts` makes from the segments. */
function filled(a, n, x, mask) {
  const size = a.shape.reduce((p, d) => p * d, 1);
  if (a.dtype !== "i32") return Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.7 + n));
  const { queryBlock, keyBlock } = x.attrs.params;
  const span = (block, end) =>
    Array.from({ length: Math.ceil(length / block) }, (_, t) =>
      segmentOf(end ? Math.min(length, (t + 1) * block) - 1 : t * block, mask),
    );
  const one = [
    ...Array.from({ length }, (_, i) => segmentOf(i, mask)),
    ...span(queryBlock, false),
    ...span(queryBlock, true),
    ...span(keyBlock, false),
    ...span(keyBlock, true),
  ];
  return Int32Array.from({ length: size }, (_, i) => one[i % one.length]);
}

const rows = {};
for (const [name, mask] of Object.entries(masks)) rows[name] = await measure(mask);
const full = rows.full;
const gflops = (ms, products) => (2 * products * batch * heads * length * length * headDim) / ms / 1e6;
console.log(
  `${opened.profile.device}: batch ${batch}, heads ${heads}, length ${length}, head ${headDim}, ` +
    `${options.element}\n${full.names.join("; ")}`,
);
console.log(
  `full: forward ${gflops(full.forward, 2).toFixed(1)} GFLOPS, backward ${gflops(full.backward, 7).toFixed(1)} GFLOPS`,
);
console.table(
  Object.fromEntries(
    Object.entries(rows).map(([name, { forward, backward, share }]) => [
      name,
      {
        "forward ms": forward.toFixed(2),
        "backward ms": backward.toFixed(2),
        "forward, of full": (forward / full.forward).toFixed(3),
        "backward, of full": (backward / full.backward).toFixed(3),
        visited: share.toFixed(3),
      },
    ]),
  ),
);
if (options.json)
  writeFileSync(
    options.json,
    JSON.stringify({ bench: "webgpu/attention", device: opened.profile.device, options, rows }, null, 1),
  );
opened.close();
