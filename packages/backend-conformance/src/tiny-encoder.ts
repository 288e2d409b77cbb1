/**
 * A training step of a small encoder with AdamW: masked tokens, dropout and packed segments. By default the encoder has
 * two layers, which is small enough for the interpreter.
 */
import {
  adamwStep,
  attention,
  crossEntropy,
  dropout,
  embedding,
  fromNumbers,
  gelu,
  grad,
  Graph,
  layerNorm,
  program,
  type HostTensor,
  type HostTensors,
  type Program,
  type Tensor,
} from "@cloze/graph";
import { drawInput } from "./draw.ts";

type T = Tensor<"f32">;

export interface TrainingStep {
  readonly program: Program;
  readonly state: HostTensors;
  /** The feeds of a step. Steps count from 1. */
  readonly feeds: (step: number) => HostTensors;
}

export interface EncoderSize {
  readonly batch: number;
  readonly seq: number;
  readonly hidden: number;
  readonly heads: number;
  readonly layers: number;
  readonly vocab: number;
}

const SMALL: EncoderSize = { batch: 2, seq: 6, hidden: 16, heads: 2, layers: 2, vocab: 11 };
const LEARNING_RATE = 0.01;
const BETA1 = 0.9;
const BETA2 = 0.98;
const EPS = 1e-3;

export function trainingStep(size: EncoderSize = SMALL): TrainingStep {
  const { batch, seq, hidden, heads, layers, vocab } = size;
  const g = new Graph();
  const headDim = hidden / heads;
  const params: T[] = [];
  const state: Record<string, HostTensor> = {};
  const param = (name: string, shape: readonly number[], around = 0): T => {
    const made = g.input(name, "f32", shape);
    const spread = shape.length === 1 ? 0.1 : 1.5 / Math.sqrt(shape.at(-1) as number);
    params.push(made);
    state[name] = drawInput(name, "f32", shape, { uniform: [around - spread, around + spread] });
    return made;
  };
  const linear = (name: string, x: T, out: number, bias = true): T => {
    const y = x.matmul(param(`${name}.weight`, [out, x.shape.at(-1) as number]), { transposeB: true });
    return bias ? y.add(param(`${name}.bias`, [out])) : y;
  };
  const norm = (name: string, x: T): T =>
    layerNorm(x, param(`${name}.weight`, [hidden], 1), param(`${name}.bias`, [hidden]));
  const split = (x: T): T => x.reshape([batch, seq, heads, headDim]).permute([0, 2, 1, 3]);

  const ids = g.input("ids", "i32", [batch, seq]);
  const targets = g.input("targets", "i32", [batch * seq]);
  const segments = g.input("segments", "i32", [batch, seq]);
  const weights = g.input("weights", "f32", [batch * seq]);
  const key = g.input("key", "u32", [2]);
  const table = param("embedding.weight", [vocab, hidden]);
  let x: T = embedding(table, ids).reshape([batch * seq, hidden]);
  for (let layer = 0; layer < layers; layer++) {
    const name = `layer.${layer}`;
    x = g.within(name, () => {
      const h = norm(`${name}.attentionNorm`, x);
      const [q, k, v] = (["query", "key", "value"] as const).map((part) =>
        split(linear(`${name}.${part}`, h, hidden, part !== "key")),
      ) as [T, T, T];
      const mixed = attention(q, k, v, { segments, dropout: { rate: 0.1, stream: 2 * layer, key } })
        .permute([0, 2, 1, 3])
        .reshape([batch * seq, hidden]);
      const y = x.add(dropout(linear(`${name}.output`, mixed, hidden), { rate: 0.1, stream: 2 * layer + 1, key }));
      return y.add(linear(`${name}.down`, gelu(linear(`${name}.up`, norm(`${name}.mlpNorm`, y), 2 * hidden)), hidden));
    });
  }
  const logits = norm("finalNorm", x).matmul(table, { transposeB: true });
  const loss = crossEntropy(logits, targets).mul(weights).sum().div(weights.sum());
  const scalars = Object.fromEntries(
    ["lr", "step", "epsHat", "gradScale"].map((name) => [name, g.input(name, "f32", [])]),
  ) as Record<"lr" | "step" | "epsHat" | "gradScale", T>;
  const updates: Record<string, Tensor> = {};
  const declared: Tensor[] = [];
  grad(loss, params).forEach((d, i) => {
    const p = params[i] as T;
    const name = (p.attrs as { readonly name: string }).name;
    const m = g.input(`${name}.m`, "f32", p.shape);
    const v = g.input(`${name}.v`, "f32", p.shape);
    state[`${name}.m`] = fromNumbers("f32", p.shape, new Float32Array((state[name] as HostTensor).data.length));
    state[`${name}.v`] = fromNumbers("f32", p.shape, new Float32Array((state[name] as HostTensor).data.length));
    declared.push(p, m, v);
    const next = adamwStep(p, d as T, m, v, scalars, { beta1: BETA1, beta2: BETA2, decay: p.rank === 1 ? 0 : 0.01 });
    Object.assign(updates, { [name]: next.p, [`${name}.m`]: next.m, [`${name}.v`]: next.v });
  });
  const scalar = (value: number): HostTensor => fromNumbers("f32", [], [value]);
  const half = Math.ceil(seq / 2);
  return {
    program: program(g, { state: declared, outputs: { loss }, updates }),
    state,
    feeds: (step) => {
      const correction = Math.sqrt(1 - BETA2 ** step);
      return {
        ids: drawInput(`ids${step}`, "i32", [batch, seq], { below: vocab }),
        targets: drawInput(`targets${step}`, "i32", [batch * seq], { below: vocab }),
        segments: drawInput("segments", "i32", [batch, seq], {
          values: Array.from({ length: seq }, (_, i) => (i < half ? 0 : 1)),
        }),
        weights: drawInput("weights", "f32", [batch * seq], { values: [1, 0, 1, 1, 0.5] }),
        key: fromNumbers("u32", [2], [7, step]),
        lr: scalar(LEARNING_RATE),
        step: scalar((LEARNING_RATE * correction) / (1 - BETA1 ** step)),
        epsHat: scalar(EPS * correction),
        gradScale: scalar(1),
      };
    },
  };
}
