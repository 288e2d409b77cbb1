// The same sequences packed into rows, padded with one sequence a row, and each alone without padding. Losses and
// gradients are equal, on the reference backend and on ONNX Runtime, for every family of encoders.
import type { Backend } from "@cloze/backend";
import { backend as onnxruntime } from "@cloze/backend-onnxruntime";
import { backend as reference } from "@cloze/backend-reference";
import { memoryDataset, packedBatches } from "@cloze/data";
import { program, type HostTensor, type HostTensors } from "@cloze/graph";
import { openModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import type { Objective } from "@cloze/objective";
import { mlm } from "@cloze/objective-mlm";
import { adamw, gradients } from "@cloze/optim";
import { RandomStream } from "@cloze/random";
import type { TokenBatch } from "@cloze/tokenizer";
import { esm2 as proteinTokenizer } from "@cloze/tokenizer-protein";
import { traceLoss } from "@cloze/trainer";
import { afterAll, describe, expect, it } from "vitest";
import { framingOf } from "../src/training-data.ts";

const tokenizer = proteinTokenizer();
const frame = framingOf(tokenizer);
const { pad } = tokenizer.special;
const vocab = tokenizer.vocabulary.length;
const shape = {
  vocab_size: vocab,
  pad_token_id: pad,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  initializer_range: 0.3,
};
const ROW = 64;
const configs: Readonly<Record<string, object>> = {
  esm2: {
    ...shape,
    model_type: "esm",
    position_embedding_type: "rotary",
    token_dropout: true,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    mask_token_id: tokenizer.special.mask,
    max_position_embeddings: ROW + 2,
  },
  bert: {
    ...shape,
    model_type: "bert",
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    max_position_embeddings: ROW,
  },
  // Local layers see 4 tokens to either side: a band of the scores in rows of 64, all scores in short rows.
  modernbert: {
    ...shape,
    model_type: "modernbert",
    num_hidden_layers: 3,
    local_attention: 8,
    max_position_embeddings: ROW,
  },
  speedrun: { ...shape, model_type: "cloze_speedrun", mask_token_id: tokenizer.special.mask, num_hidden_layers: 4 },
};

const objective: Objective<"masked-lm"> = mlm(tokenizer);
const MOMENT = { seed: 5, step: 3, evaluation: false };
const draw = new RandomStream(9).split("packed rows");
const sequences = [30, 11, 24, 7, 11, 30, 50, 24].map((length, n) =>
  Uint8Array.from({ length }, (_, i) => 4 + draw.split(n).below(20, i)),
);

/** A batch whose rows hold the given sequences of the batch `from`. Each sequence keeps the number of its example. */
function laidOut(
  from: TokenBatch,
  rows: readonly (readonly TokenBatch["sequences"][number][])[],
  length: number,
): TokenBatch {
  const ids = new Int32Array(rows.length * length).fill(pad);
  const segments = new Int32Array(ids.length);
  const positions = new Int32Array(ids.length);
  const placed = rows.flatMap((row, r) => {
    let start = 0;
    return row.map((s, n) => {
      const at = r * length + start;
      const source = s.row * from.length + s.start;
      ids.set(from.ids.subarray(source, source + s.length), at);
      segments.fill(n + 1, at, at + s.length);
      for (let i = 0; i < s.length; i++) positions[at + i] = i;
      start += s.length;
      return { example: s.example, row: r, start: start - s.length, length: s.length };
    });
  });
  return { rows: rows.length, length, ids, segments, positions, sequences: placed };
}

/** Sums over a batch: the loss, its weight, and the gradient of every parameter. */
async function sums(
  backend: Backend,
  source: Parameters<typeof traceLoss>[0]["source"],
  weights: HostTensors,
  feeds: HostTensors,
): Promise<Record<string, Float32Array>> {
  const types = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape: s }]) => [name, { dtype, shape: s }]),
  );
  const { graph, loss, parameters } = traceLoss({ source, objective, optimizer: adamw({ beta2: 0.98 }) }, types);
  const found = gradients(loss.sum, parameters);
  const outputs = { loss: loss.sum, ...(loss.weight && { weight: loss.weight }), ...Object.fromEntries(found) };
  const executable = await backend.compile(
    program(graph, { state: [...parameters.values()].map((p) => p.tensor), outputs }),
  );
  const session = await backend.start(
    Object.fromEntries([...parameters.keys()].map((name) => [name, weights[name] as HostTensor])),
  );
  try {
    const result = await session.run(executable, feeds);
    return Object.fromEntries(
      Object.entries(result).map(([name, { data }]) => [name, Float32Array.from(data as Float32Array)]),
    );
  } finally {
    await session.dispose();
    await executable.dispose();
  }
}

const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));

/**
 * Expects differences of at most 1e-5 of a norm: the norm of the parameter's gradient, or a thousandth of the norm of
 * all gradients where the parameter's own gradient cancels.
 */
function expectEqual(
  got: Readonly<Record<string, Float32Array>>,
  want: Readonly<Record<string, Float32Array>>,
  what: string,
): void {
  expect(Object.keys(got)).toEqual(Object.keys(want));
  const whole = norm(
    Object.entries(want)
      .filter(([name]) => name !== "loss" && name !== "weight")
      .map(([, g]) => norm(g)),
  );
  expect(whole).toBeGreaterThan(0.1);
  for (const [name, expected] of Object.entries(want)) {
    const least = name === "loss" || name === "weight" ? 0 : 1e-3 * whole;
    const off = norm((got[name] as Float32Array).map((v, i) => v - (expected[i] as number)));
    expect(off / Math.max(least, norm(expected)), `${what}: ${name}`).toBeLessThanOrEqual(1e-5);
  }
}

const backends: Readonly<Record<string, Backend>> = {
  reference: reference(),
  onnxruntime: onnxruntime({ threads: 1 }),
};
afterAll(async () => {
  for (const b of Object.values(backends)) await b.dispose();
});

describe.each(Object.keys(configs))("%s", (family) => {
  it.each(Object.keys(backends))("packed, padded and alone are one on %s", async (engine) => {
    const backend = backends[engine] as Backend;
    const model = await openModel(configs[family]);
    const source = { name: family, model: model.model, configText: "", buffers: {}, maxLength: ROW };
    const batches = packedBatches(memoryDataset(sequences), { seed: 1, length: ROW, rowsPerBatch: 4, special: frame });
    expect(batches.rowsIn(0)).toBe(4);
    const packed = await batches.batchAt(0);
    const each = packed.sequences;
    expect(each.length).toBe(sequences.length);
    const padded = laidOut(
      packed,
      each.map((s) => [s]),
      ROW,
    );
    const alone = each.map((s) => laidOut(packed, [[s]], s.length));
    const prepared = [packed, padded, ...alone].map((batch) => ({ batch, ...objective.prepare(batch, MOMENT) }));
    // The model predicts nothing at padding: every target is a position in a sequence.
    for (const { batch, feeds } of prepared) {
      const [at, weight] = [feeds["slots.index"], feeds["slots.weight"]].map(
        (x) => (x as HostTensor).data as Int32Array,
      ) as [Int32Array, Int32Array];
      expect(at.every((place, i) => weight[i] === 0 || batch.segments[place] !== 0)).toBe(true);
    }
    const trace = traceLoss(
      { source, objective, optimizer: adamw({ beta2: 0.98 }) },
      Object.fromEntries(
        Object.entries(prepared[0]?.feeds ?? {}).map(([name, x]) => [name, { dtype: x.dtype, shape: x.shape }]),
      ),
    );
    const drawn = initialize(trace.parameters, 4);
    // Heads and gates that begin at zero would hide what the layers below do.
    const weights = Object.fromEntries(
      Object.entries(drawn).map(([name, x]) => [
        name,
        { ...x, data: (x.data as Float32Array).map((v, i) => v + 0.1 * Math.sin(i * 1.7 + name.length)) },
      ]),
    );
    const results: Record<string, Float32Array>[] = [];
    for (const { feeds } of prepared) results.push(await sums(backend, source, weights, feeds));
    const [first, second, ...others] = results as [
      Record<string, Float32Array>,
      Record<string, Float32Array>,
      ...Record<string, Float32Array>[],
    ];
    expect(first["weight"]?.[0]).toBeGreaterThan(15);
    const total = Object.fromEntries(
      Object.keys(first).map((name) => [
        name,
        others.map((r) => r[name] as Float32Array).reduce((a, b) => a.map((v, i) => v + (b[i] as number))),
      ]),
    );
    expectEqual(first, total, "packed, against alone");
    expectEqual(second, total, "padded, against alone");

    // The ids at padding change nothing.
    const feeds = prepared[1]?.feeds as HostTensors;
    const name = Object.keys(feeds).find((n) => n.endsWith("ids")) as string;
    const ids = feeds[name] as HostTensor;
    const other = {
      ...ids,
      data: (ids.data as Int32Array).map((id, i) => (padded.segments[i] === 0 ? 4 + (i % 20) : id)),
    };
    expectEqual(await sums(backend, source, weights, { ...feeds, [name]: other }), total, "other tokens at padding");
  });
});
