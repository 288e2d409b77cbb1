// The step that bench/step.mjs measures: forward, backward and AdamW of a pre-LN encoder with GELU, learned positions
// and a tied head on every position. This file has it as a cloze program with its data; step-jax.mjs has the same step
// in jax-js.
import { crossEntropy, gelu, Graph, program } from "@cloze/graph";
import {
  embeddingTable,
  feedForward,
  initialize,
  layerNormLayer,
  linear,
  project,
  rootScope,
  selfAttention,
} from "@cloze/nn";
import { adamw, gradients } from "@cloze/optim";

export const shape = { layers: 4, hidden: 256, heads: 4, intermediate: 1024, batch: 8, seq: 128, vocab: 33 };
export const optimizer = { beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0.01, lr: 1e-3 };

/** The program, its initial state, and the feeds of step t. With `rope`, positions are rotary instead of learned. */
export function encoderStep(sizes = shape, { rope = false, weightDecay = optimizer.weightDecay } = {}) {
  const { layers, hidden, heads, intermediate, batch, seq, vocab } = sizes;
  const rows = batch * seq;
  const graph = new Graph();
  const root = rootScope(graph);
  const ids = graph.input("ids", "i32", [rows]);
  const targets = graph.input("targets", "i32", [rows]);
  const positions = graph.iota([1, seq], 1);

  const table = embeddingTable(root.at("word_embeddings"), { vocab, hidden });
  let x = table.gather(ids).reshape([batch, seq, hidden]);
  if (!rope) x = x.add(embeddingTable(root.at("position_embeddings"), { vocab: seq, hidden }));
  for (let i = 0; i < layers; i++) {
    const layer = root.at(`layer.${i}`);
    const block = layer.at("attention");
    const mixed = selfAttention(block.at("self"), layerNormLayer(block.at("LayerNorm"), x, 1e-5), {
      heads,
      ...(rope && { rope: { positions } }),
    });
    x = x.add(linear(block.at("output.dense"), mixed, hidden));
    x = x.add(feedForward(layer, layerNormLayer(layer.at("LayerNorm"), x, 1e-5), { intermediate, activation: gelu }));
  }
  const last = layerNormLayer(root.at("layer_norm_after"), x, 1e-5).reshape([rows, hidden]);
  const loss = crossEntropy(project(last, table), targets).mean();

  const { lr, ...rest } = optimizer;
  const adam = adamw({ ...rest, weightDecay });
  const { parameters } = root;
  const { state, updates } = adam.update({
    graph,
    parameters,
    gradients: gradients(loss, parameters),
    gradScale: graph.const(1, "f32"),
  });
  const first = initialize(parameters, 1);
  for (const s of state)
    first[s.attrs.name] = { dtype: "f32", shape: s.shape, data: new Float32Array(s.shape.reduce((n, d) => n * d, 1)) };

  const drawn = (salt) =>
    Int32Array.from({ length: rows }, (_, i) => Math.imul(i * 2 + salt, 2654435761) >>> 8).map((v) => v % vocab);
  const data = {
    ids: { dtype: "i32", shape: [rows], data: drawn(1) },
    targets: { dtype: "i32", shape: [rows], data: drawn(7) },
  };
  return {
    program: program(graph, {
      state: [...[...parameters.values()].map((p) => p.tensor), ...state],
      outputs: { loss },
      updates,
    }),
    state: first,
    feeds: (t) => ({ ...data, ...adam.hostScalars(t, lr) }),
  };
}
