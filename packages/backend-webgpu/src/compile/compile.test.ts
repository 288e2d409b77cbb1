// The compiler, without a device: joined kernels, values written in place, and kernel text.
import { describe, expect, it } from "vitest";
import { crossEntropy, gelu, Graph, layerNorm, program, type Program, type Tensor } from "@cloze/graph";
import { embeddingTable, feedForward, layerNormLayer, linear, project, rootScope, selfAttention } from "@cloze/nn";
import { adamw, clipScale, gradients } from "@cloze/optim";
import { isDeferred, type Kernel } from "../kernel.ts";
import { baseProfile, type Family, type Profile } from "../profile.ts";
import { compileProgram } from "./compile.ts";

const profileOf = (family: Family): Profile => ({
  ...baseProfile,
  family,
  limits: {
    ...baseProfile.limits,
    storageBuffers: 16,
    bindingBytes: 2 ** 31 - 4,
    bufferBytes: 2 ** 32,
    sharedBytes: 48 * 2 ** 10,
  },
});
const kernelsOf = (p: Program, family: Family = "software"): Compiled =>
  compileProgram(p, { profile: profileOf(family), compute: "f32" }).kernels;
type Compiled = ReturnType<typeof compileProgram>["kernels"];
const namesOf = (p: Program, family?: Family): string[] =>
  kernelsOf(p, family).map((k) => k.name.replace(/ (register|shared) .*/, ""));

/** A training step of BERT: post-norm layers, a head on 614 predicted positions, AdamW with clipping, and a guard. */
function bert(layers: number): Program {
  const hidden = 768;
  const batch = 8;
  const seq = 512;
  const rows = batch * seq;
  const predicted = 614;
  const vocab = 30_522;
  const graph = new Graph();
  const root = rootScope(graph);
  const ids = graph.input("ids", "i32", [rows]);
  const at = graph.input("at", "i32", [predicted]);
  const targets = graph.input("targets", "i32", [predicted]);
  const table = embeddingTable(root.at("word_embeddings"), { vocab, hidden });
  let x: Tensor<"f32"> = table
    .gather(ids)
    .reshape([batch, seq, hidden])
    .add(embeddingTable(root.at("position_embeddings"), { vocab: seq, hidden }));
  x = layerNormLayer(root.at("LayerNorm"), x, 1e-12);
  for (let i = 0; i < layers; i++) {
    const layer = root.at(`layer.${i}`);
    const block = layer.at("attention");
    const mixed = selfAttention(block.at("self"), x, { heads: 12 });
    x = layerNormLayer(block.at("output.LayerNorm"), x.add(linear(block.at("output.dense"), mixed, hidden)), 1e-12);
    x = layerNormLayer(
      layer.at("output.LayerNorm"),
      x.add(feedForward(layer, x, { intermediate: 3072, activation: gelu })),
      1e-12,
    );
  }
  const loss = crossEntropy(project(x.reshape([rows, hidden]).gather(at), table), targets).mean();
  const { parameters } = root;
  const found = gradients(loss, parameters);
  const { scale, norm } = clipScale(found, { maxNorm: 1 });
  const { state, updates } = adamw().update({ graph, parameters, gradients: found, gradScale: scale });
  return program(graph, {
    state: [...[...parameters.values()].map((p) => p.tensor), ...state],
    outputs: { loss, norm },
    updates,
    guard: norm.abs().less(Infinity),
  });
}

describe("BERT-base, 8 x 512 tokens, a training step", () => {
  const one = kernelsOf(bert(1));
  const two = kernelsOf(bert(2));

  it("takes at most 25 kernels a layer, forward, backward and update", () => {
    expect(two.length - one.length).toBeLessThanOrEqual(25);
    // Weight gradients are split over tokens and then joined.
    expect(kernelsOf(bert(2), "nvidia").length - kernelsOf(bert(1), "nvidia").length).toBeLessThanOrEqual(28);
  });

  it("computes q, k and v in one product, sums their gradients in one, and bias gradients beside weight gradients", () => {
    const layer = two
      .filter((k): k is Kernel => !isDeferred(k) && k.path.startsWith("layer.1"))
      .map((k) => k.name.split(" ").slice(0, 2).join(" "));
    expect(layer.filter((name) => name.startsWith("matmul TN"))).toHaveLength(4);
    expect(layer.filter((name) => name.startsWith("matmul NN"))).toHaveLength(4);
    expect(layer.filter((name) => name.startsWith("flash")).map((name) => name.split(" ")[0])).toEqual([
      "flashForward",
      "flashGradKV",
      "flashGradQ",
    ]);
  });

  it("updates all parameters and takes their norm in a fixed number of kernels", () => {
    const joined = two.filter((k) => / of \d+ tensors/.test(k.name)).map((k) => k.name.replace(/\d+/, "N"));
    expect(joined).toEqual([
      "sums of N tensors",
      "sums of N tensors join",
      "map add+sub of N tensors",
      "map add+sub of N tensors",
    ]);
  });
});

describe("packed rows on a device that binds few buffers", () => {
  const hidden = 64;
  const rows = 2;
  const seq = 128;
  const graph = new Graph();
  const root = rootScope(graph);
  const x = graph.input("x", "f32", [rows, seq, hidden]);
  const segments = graph.input("segments", "i32", [rows, seq]);
  const loss = linear(root.at("out"), selfAttention(root.at("self"), x, { heads: 2, segments }), hidden)
    .square()
    .sum();
  const { parameters } = root;
  const found = gradients(loss, parameters);
  const { scale, norm } = clipScale(found, { maxNorm: 1 });
  const { state, updates } = adamw().update({ graph, parameters, gradients: found, gradScale: scale });
  const step = program(graph, {
    state: [...[...parameters.values()].map((p) => p.tensor), ...state],
    outputs: { loss, norm },
    updates,
    guard: norm.abs().less(Infinity),
  });

  // Every WebGPU device must allow 8.
  it.each([8, 9, 10, 16])("a training step in kernels of at most %i", (storageBuffers) => {
    for (const family of ["software", "nvidia"] as const) {
      const profile = profileOf(family);
      const { kernels } = compileProgram(step, {
        profile: { ...profile, limits: { ...profile.limits, storageBuffers } },
        compute: "f32",
      });
      for (const k of kernels)
        if (!isDeferred(k)) expect(k.bindings.length, k.name).toBeLessThanOrEqual(storageBuffers);
      expect(kernels.filter((k) => k.name.startsWith("flash")).length).toBe(storageBuffers < 9 ? 2 : 3);
    }
  });
});

describe("what runs together", () => {
  const graph = (build: (g: Graph) => Readonly<Record<string, Tensor>>): Program => {
    const g = new Graph();
    return program(g, { state: [], outputs: build(g) });
  };

  it("a chain of elementwise ops, whatever moves in between", () => {
    expect(
      namesOf(
        graph((g) => ({
          y: g
            .input("x", "f32", [4, 6])
            .exp()
            .transpose()
            .mul(g.input("w", "f32", [4]))
            .slice(0, 1, 5)
            .reshape([2, 8])
            .tanh(),
        })),
      ),
    ).toEqual(["map tanh"]);
  });

  it("a layer norm: one kernel for its mean, its variance and its result", () => {
    expect(
      namesOf(
        graph((g) => ({
          y: layerNorm(g.input("x", "f32", [8, 32]), g.input("w", "f32", [32]), g.input("b", "f32", [32])),
        })),
      ),
    ).toEqual(["rows reduceSum 1 full"]);
  });

  it("a product with what follows it, two results of it included", () => {
    expect(
      namesOf(
        graph((g) => {
          const up = g
            .input("x", "f32", [8, 16])
            .matmul(g.input("w", "f32", [16, 16]), { transposeB: true })
            .add(g.input("b", "f32", [16]));
          return { up, y: gelu(up) };
        }),
      ),
    ).toEqual(["matmul NT"]);
  });
});

describe("state", () => {
  it("is written over in place where nobody needs the old value any more", () => {
    const g = new Graph();
    const a = g.input("a", "f32", [8]);
    const x = g.input("x", "f32", [8]);
    const [only, ...others] = kernelsOf(
      program(g, { state: [a], outputs: {}, updates: { a: a.mul(0.5).add(x) } }),
    ) as Kernel[];
    expect(others).toEqual([]);
    expect(only?.bindings.map((b) => [b.storage.kind, b.access])).toEqual([
      ["state", "read_write"],
      ["feed", "read"],
    ]);
  });

  it("is swapped through memory of its own", () => {
    const g = new Graph();
    const a = g.input("a", "f32", [8]);
    const b = g.input("b", "f32", [8]);
    expect(kernelsOf(program(g, { state: [a, b], outputs: {}, updates: { a: b, b: a } })).length).toBeGreaterThan(1);
  });
});

describe("the text", () => {
  it("of a map: four elements at a time, movement as index arithmetic", () => {
    const g = new Graph();
    const y = g
      .input("x", "f32", [8, 12])
      .mul(2)
      .add(g.input("b", "f32", [12]))
      .max(0);
    const [kernel] = kernelsOf(program(g, { state: [], outputs: { y } })) as Kernel[];
    expect(kernel?.wgsl).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
      @group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
      @group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;
      fn ld0(e: u32) -> f32 { return b0[e >> 2u][e & 3u]; }
      fn ld0x4(e: u32) -> vec4<f32> { return b0[e >> 2u]; }
      fn ld1(e: u32) -> f32 { return b1[e >> 2u][e & 3u]; }
      fn ld1x4(e: u32) -> vec4<f32> { return b1[e >> 2u]; }
      fn st2(e: u32, v: f32) { b2[e >> 2u][e & 3u] = v; }
      fn st2x4(e: u32, v: vec4<f32>) { b2[e >> 2u] = v; }
      fn max_4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> { return select(select(b, a, (a > b) | ((bitcast<vec4<u32>>(a) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u))), b, ((bitcast<vec4<u32>>(b) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u))); }
      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
        let g = (wg.x + wg.y * 1u) * 64u + t;
        if (g >= 24u) { return; }
        let i = g * 4u;
        let v0 = ld0x4(i);
        let v1 = (v0 * vec4<f32>(2.0f));
        let i2 = i % 12u;
        let v3 = ld1x4(i2);
        let v4 = (v1 + v3);
        let v5 = max_4(v4, vec4<f32>(0.0f));
        st2x4(i, v5);
      }"
    `);
  });

  it("of rows on a GPU: a workgroup takes a row, and joins what its invocations added", () => {
    const g = new Graph();
    const x = g.input("x", "f32", [8, 256]);
    const y = x.sub(x.mean(-1, true));
    const [kernel] = kernelsOf(program(g, { state: [], outputs: { y } }), "nvidia") as Kernel[];
    expect(kernel?.wgsl).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
      @group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
      fn ld0(e: u32) -> f32 { return b0[e >> 2u][e & 3u]; }
      fn ld0x4(e: u32) -> vec4<f32> { return b0[e >> 2u]; }
      fn st1(e: u32, v: f32) { b1[e >> 2u][e & 3u] = v; }
      fn st1x4(e: u32, v: vec4<f32>) { b1[e >> 2u] = v; }
      var<workgroup> all_sum_f32_slots: array<f32, 64>;
      fn all_sum_f32(v: f32, t: u32) -> f32 {
        workgroupBarrier();
        all_sum_f32_slots[t] = v;
        for (var k = 32u; k > 0u; k >>= 1u) {
          workgroupBarrier();
          if (t < k) { all_sum_f32_slots[t] = all_sum_f32_slots[t] + all_sum_f32_slots[t + k]; }
        }
        workgroupBarrier();
        return all_sum_f32_slots[0];
      }
      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
        let g = (wg.x + wg.y * 8u) * 64u + t;
        if (wg.x + wg.y * 8u >= 8u) { return; }
        let row = wg.x + wg.y * 8u;
        var acc0 = vec4<f32>(0);
        for (var col = t * 4u; col < 256u; col += 256u) {
          let v2 = ld0x4(col + row * 256u);
          acc0 = acc0 + v2;
        }
        let r3 = all_sum_f32(dot(acc0, vec4<f32>(1.0f)), t);
        for (var col = t * 4u; col < 256u; col += 256u) {
          let v4 = ld0x4(col + row * 256u);
          let v5 = (r3 * 0.00390625f);
          let v6 = (v4 - vec4<f32>(v5));
          st1x4(col + row * 256u, v6);
        }
      }"
    `);
  });
});
