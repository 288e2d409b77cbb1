/**
 * What a checkpoint stores beside weights in f32: rotary frequencies and a pooler, against transformers' EsmModel
 * (tooling/golden/esm-model.py), and weights that are no floats.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Graph, interpret } from "@cloze/graph";
import { openCheckpoint, openModel, readWeights, type StoredTensors } from "@cloze/models/families";
import { rootScope } from "@cloze/nn";
import { floats, halves, worst, type Encoded } from "./golden.ts";

interface Row {
  readonly ids: readonly number[];
  readonly pooler_output: Encoded;
  readonly last_hidden_state: Encoded;
}

const golden = JSON.parse(readFileSync(new URL("golden/esm-model.json", import.meta.url), "utf8")) as {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: Readonly<Record<string, Encoded>>;
  readonly rows: readonly Row[];
};
const isFrequency = (name: string): boolean => name.endsWith("inv_freq");
const numbers = (name: string): Float32Array<ArrayBuffer> => {
  const stored = golden.weights[name] as Encoded;
  return Float32Array.from((isFrequency(name) ? floats : halves)(stored));
};

function stored(changes: Readonly<Record<string, Partial<Encoded> & { dtype?: string }>> = {}): StoredTensors {
  const shapes = { ...golden.weights, ...changes };
  return {
    shapes: new Map(Object.entries(shapes).map(([name, { shape = [] }]) => [name, shape])),
    dtypes: new Map(Object.keys(shapes).map((name) => [name, changes[name]?.dtype ?? "F32"])),
    read: async (name) => (name in golden.weights ? numbers(name) : new Float32Array(1)),
  };
}

describe("an EsmModel of transformers", () => {
  it.each(golden.rows)("has its states and its pooled output: $ids", async ({ ids, ...expected }) => {
    const { model, weights } = await openCheckpoint(golden.config, stored(), "golden");
    const graph = new Graph();
    const scope = rootScope(graph);
    const input = (name: string): ReturnType<typeof graph.input<"i32">> => graph.input(name, "i32", [1, ids.length]);
    const inputs = { ids: input("ids"), segments: input("segments"), positions: input("positions") };
    const states = model.encode(scope, inputs);
    const pooled = model.pool?.(scope, states.slice(1, 0, 1).reshape([1, model.hidden])) ?? states;
    const [last, pooler] = interpret([states, pooled], {
      ...Object.fromEntries(Object.entries(weights).map(([name, { data }]) => [name, data])),
      ids: [...ids],
      segments: ids.map(() => 1),
      positions: ids.map((_, i) => i),
    });
    expect(worst(last?.data as number[], floats(expected.last_hidden_state))).toBeLessThan(2e-5);
    expect(worst(pooler?.data as number[], floats(expected.pooler_output))).toBeLessThan(2e-5);
  });

  it("is not read with other frequencies than its own", async () => {
    const plain = await openModel(golden.config);
    await expect(readWeights(plain, stored(), "golden")).rejects.toThrow(
      /inv_freq: expected the frequencies .*openCheckpoint/,
    );
    const opened = await openCheckpoint(golden.config, stored(), "golden");
    expect(Object.keys((await readWeights(opened, stored(), "golden")).weights)).toContain("esm.pooler.dense.weight");
  });

  it("is refused where its layers have frequencies of their own", async () => {
    const two = "encoder.layer.1.attention.self.rotary_embeddings.inv_freq";
    const other = stored({ [two]: { shape: [1] } });
    await expect(openCheckpoint(golden.config, other, "golden")).rejects.toThrow(/expected the rotary frequencies of/);
  });
});

describe("weights that are no floats", () => {
  const name = "encoder.layer.0.attention.self.query.weight";

  it.each(["I8", "U8", "I32", "I64", "BOOL"])("are refused: %s", async (dtype) => {
    const integers = stored({ [name]: { ...golden.weights[name], dtype } });
    await expect(openCheckpoint(golden.config, integers, "golden")).rejects.toThrow(
      `golden, tensor "${name}": expected floats (F64, F32, F16, BF16), got ${dtype}. Are the weights quantised?`,
    );
  });

  // The names that bitsandbytes 0.49, GPTQ and AWQ, fp8, compressed-tensors and torchao write.
  it.each([
    "query.SCB",
    "query.weight.absmax",
    "query.weight.quant_map",
    "query.weight.quant_state.bitsandbytes__nf4",
    "query.qweight",
    "query.qzeros",
    "query.scales",
    "query.g_idx",
    "query.weight_scale",
    "query.weight_scale_inv",
    "query.input_scale",
    "query.weight_packed",
    "query.weight_zero_point",
  ])("are known by what stands beside them: %s", async (ending) => {
    const beside = stored({ [`encoder.layer.0.attention.self.${ending}`]: { shape: [1] } });
    await expect(openCheckpoint(golden.config, beside, "golden")).rejects.toThrow(/got a tensor of quantised weights/);
  });
});
