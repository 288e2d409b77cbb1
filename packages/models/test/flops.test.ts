// FLOPs by formula against the sum over the matmuls of the traced graph: an oracle that knows no model.
import { Graph, grad, lower, order, program, type Tensor } from "@cloze/graph";
import { rootScope } from "@cloze/nn";
import { describe, expect, it } from "vitest";
import { families, openModel, type OpenedModel } from "../src/families.ts";

const BATCH = 2;
const PREDICTED = 5;

/** 2 rows k columns for each matmul of the graph, with every composite expanded and equal nodes counted once. */
function countedFlops(roots: readonly Tensor[], graph: Graph): number {
  const lowered = lower(
    program(graph, { state: [], outputs: Object.fromEntries(roots.map((x, i) => [`${i}`, x])), updates: {} }),
  );
  let flops = 0;
  for (const x of order(Object.values(lowered.outputs))) {
    if (x.op !== "matmul") continue;
    const [a] = x.args as readonly [Tensor];
    const { transposeA } = x.attrs as { readonly transposeA: boolean };
    flops += 2 * x.shape.reduce((n, d) => n * d, 1) * (a.shape.at(transposeA ? -2 : -1) as number);
  }
  return flops;
}

/** The hidden states of BATCH rows of `seq`, and logits of PREDICTED of their tokens. */
function traced(
  { model }: OpenedModel,
  seq: number,
): { readonly graph: Graph; readonly logits: Tensor<"f32">; readonly parameters: readonly Tensor[] } {
  const graph = new Graph();
  const scope = rootScope(graph);
  const ids = graph.input("ids", "i32", [BATCH, seq]);
  const inputs = {
    ids,
    segments: graph.input("segments", "i32", [BATCH, seq]),
    positions: graph.input("positions", "i32", [BATCH, seq]),
  };
  const states = model
    .encode(scope, inputs)
    .reshape([BATCH * seq, model.hidden])
    .gather(graph.input("predicted", "i32", [PREDICTED]));
  return {
    graph,
    logits: model.predict(scope, states),
    parameters: [...scope.parameters.values()].map(({ tensor }) => tensor),
  };
}

const heads = { num_attention_heads: 4, num_hidden_layers: 4, hidden_size: 32 };
/** The smallest published size of each family, made smaller: one layer of each kind stays. */
const shrunk: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  bert: { ...heads, intermediate_size: 48, max_position_embeddings: 64 },
  modernbert: { ...heads, intermediate_size: 40, local_attention: 128, layer_types: undefined },
  esm: { ...heads, intermediate_size: 48 },
  AMPLIFY: { ...heads, intermediate_size: 48, vocab_size: 28, vocab_path: undefined },
  neobert: { ...heads, intermediate_size: 48 },
  cloze_speedrun: { ...heads, intermediate_size: 56 },
};

async function opened(type: string, more: Readonly<Record<string, unknown>> = {}): Promise<OpenedModel> {
  const family = await (families[type] as NonNullable<(typeof families)[string]>)();
  const published = family.published(family.names[0] as string);
  return openModel({ ...published, ...shrunk[type], vocab_size: 40, pad_token_id: 0, ...more }, { file: type });
}

describe.each(Object.keys(families))("%s", (type) => {
  it("has the FLOPs of its graph's matmuls, forward", async () => {
    const model = await opened(type);
    const seq = 24;
    const { graph, logits } = traced(model, seq);
    expect(
      model.flopsPerToken(seq, { training: false, predicted: PREDICTED / (BATCH * seq) }) * BATCH * seq,
    ).toBeCloseTo(countedFlops([logits], graph), 3);
  });

  it("and three times that with the gradient", async () => {
    const model = await opened(type);
    const seq = 24;
    const { graph, logits, parameters } = traced(model, seq);
    const made = grad(logits.sum(), parameters);
    expect(model.flopsPerToken(seq, { predicted: PREDICTED / (BATCH * seq) }) * BATCH * seq).toBeCloseTo(
      countedFlops([logits, ...made], graph),
      3,
    );
  });
});

describe("options", () => {
  it.each([
    { differential_attention: true },
    { head_dense: true },
    { tie_word_embeddings: true },
    { unet: false, value_embeddings: false },
    { patch_unet: true, patch_width_multiple: 8 },
    { patch_unet: true, num_extra_layers: 2, patch_width_multiple: 24, differential_attention: true },
  ])("of the speedrun encoder: %j", async (options) => {
    const model = await opened("cloze_speedrun", options);
    const seq = 16;
    const { graph, logits } = traced(model, seq);
    expect(
      model.flopsPerToken(seq, { training: false, predicted: PREDICTED / (BATCH * seq) }) * BATCH * seq,
    ).toBeCloseTo(countedFlops([logits], graph), 3);
  });

  it("of a patch U-net, whose rows are padded to whole patches", async () => {
    const model = await opened("cloze_speedrun", { patch_unet: true, num_hidden_layers: 8, patch_width_multiple: 8 });
    const seq = 18;
    const { graph, logits, parameters } = traced(model, seq);
    const all = [logits, ...grad(logits.sum(), parameters)];
    expect(
      model.flopsPerToken(seq, { training: false, predicted: PREDICTED / (BATCH * seq) }) * BATCH * seq,
    ).toBeCloseTo(countedFlops([logits], graph), 3);
    expect(model.flopsPerToken(seq, { predicted: PREDICTED / (BATCH * seq) }) * BATCH * seq).toBeCloseTo(
      countedFlops(all, graph),
      3,
    );
  });

  it("a window makes it cheaper, and a varied one too", async () => {
    const model = await opened("cloze_speedrun");
    const windowed = await opened("cloze_speedrun", { window: 3 });
    const seq = 64;
    const { layers, hidden } = { layers: 4, hidden: 32 };
    let pairs = 0;
    for (let i = 0; i < seq; i++) for (let j = 0; j < seq; j++) if (Math.abs(i - j) <= 3) pairs++;
    expect(
      model.flopsPerToken(seq, { training: false }) - windowed.flopsPerToken(seq, { training: false }),
    ).toBeCloseTo(4 * hidden * layers * (seq - pairs / seq), 6);
    expect(model.vary?.({ window: 3 }).flopsPerToken(seq)).toBe(windowed.flopsPerToken(seq));
  });
});
