/**
 * Multi-head self-attention without the output projection (checkpoints disagree on the place of the projection).
 *
 *   x ─ query, key, value ─ split heads ─ rope? ─ attention(mask) ─ merge heads
 *
 * The steps are exported too, for a model that needs other work between them.
 */
import { ConfigError } from "@cloze/errors";
import { attention, dims, softmax, type Tensor } from "@cloze/graph";
import { differentialHeads, differentialMaps, type DifferentialOptions } from "./differential-attention.ts";
import { attentionDropout } from "./dropout.ts";
import { linear, type LinearOptions } from "./linear.ts";
import { rotary, type RotaryOptions } from "./rotary.ts";
import type { Scope } from "./scope.ts";

export interface SelfAttentionOptions {
  readonly heads: number;
  /** i32 `[batch, seq]`: a token sees only its own segment (packing and padding). */
  readonly segments?: Tensor<"i32">;
  /** Rotary positions. Absent: no rotary positions. */
  readonly rope?: RotaryOptions;
  /** Default 1 / sqrt(headDim). */
  readonly scale?: number;
  readonly causal?: boolean;
  /** Largest distance at which tokens see each other. */
  readonly window?: number;
  /** Scores stay within ± this number: softcap * tanh(score / softcap). Absent: no cap. */
  readonly softcap?: number;
  /** Differences of two attention maps in place of one map. Absent: one map. */
  readonly differential?: DifferentialOptions;
  /** Dropout rate of the probabilities, when training. Default 0. */
  readonly dropoutRate?: number;
  /** Options of the three projections. */
  readonly linear?: LinearOptions;
}

export interface Heads {
  /** `[batch, heads, seq, headDim]`, the shape of k and v too. */
  readonly q: Tensor<"f32">;
  readonly k: Tensor<"f32">;
  readonly v: Tensor<"f32">;
}

/**
 * Parameters: query, key, value: each weight `[hidden, hidden]`, bias `[hidden]`.
 * Shapes: x `[batch, seq, hidden]` f32 -> same. Throws ConfigError if the number of heads does not divide hidden.
 */
export function selfAttention(scope: Scope, x: Tensor<"f32">, options: SelfAttentionOptions): Tensor<"f32"> {
  return attend(scope, queryKeyValue(scope, x, options), options);
}

/** The three projections by head. With `options.rope`, q and k are turned by position. */
export function queryKeyValue(scope: Scope, x: Tensor<"f32">, options: SelfAttentionOptions): Heads {
  const { hidden } = dims("selfAttention(x)", x, "batch seq hidden");
  const { heads } = options;
  const part = (name: string): Tensor<"f32"> => splitHeads(linear(scope.at(name), x, hidden, options.linear), heads);
  return turn(scope, { q: part("query"), k: part("key"), v: part("value") }, options);
}

/**
 * The same result from one projection. Its rows are the rows of q, then of k, then of v, head by head.
 * Parameters: weight `[3 hidden, hidden]`, bias `[3 hidden]`.
 */
export function fusedQueryKeyValue(scope: Scope, x: Tensor<"f32">, options: SelfAttentionOptions): Heads {
  const { hidden } = dims("selfAttention(x)", x, "batch seq hidden");
  const all = linear(scope, x, 3 * hidden, { ...options.linear, stacked: 3 });
  const part = (i: number): Tensor<"f32"> => splitHeads(all.slice(2, i * hidden, (i + 1) * hidden), options.heads);
  return turn(
    scope,
    scope.within(() => ({ q: part(0), k: part(1), v: part(2) })),
    options,
  );
}

function turn(scope: Scope, { q, k, v }: Heads, { rope }: SelfAttentionOptions): Heads {
  return rope === undefined ? { q, k, v } : scope.within(() => ({ q: rotary(q, rope), k: rotary(k, rope), v }));
}

/**
 * Attention over heads, and back to `[batch, seq, hidden]`. Parameters: none, or the parameters of `differentialHeads`.
 */
export function attend(scope: Scope, { q, k, v }: Heads, options: SelfAttentionOptions): Tensor<"f32"> {
  const { segments, scale, causal, window, softcap, differential, dropoutRate = 0 } = options;
  const mask = {
    ...(segments && { segments }),
    ...(scale !== undefined && { scale }),
    ...(causal && { causal }),
    ...(window !== undefined && { window }),
    ...(softcap !== undefined && { softcap }),
  };
  const weigh = (values: Tensor<"f32">): Tensor<"f32"> =>
    attention(q, k, values, { ...mask, ...attentionDropout(scope, dropoutRate) });
  return scope.within(() => mergeHeads(differential ? differentialHeads(scope, v, weigh, differential) : weigh(v)));
}

/**
 * The probabilities `[batch, heads, seq, seq]` by which bidirectional `attend` weighs values, for inspection: attention
 * maps, contact prediction. For differential attention: the differences, `[batch, heads / 2, seq, seq]`. They cost the
 * memory that `attention` avoids.
 */
export function attentionProbabilities(scope: Scope, { q, k }: Heads, options: SelfAttentionOptions): Tensor<"f32"> {
  const { batch, seq, headDim } = dims("attentionProbabilities(q)", q, "batch heads seq headDim");
  const { segments, window, softcap, scale = 1 / Math.sqrt(headDim) } = options;
  if (options.causal) throw new ConfigError("attentionProbabilities: expected bidirectional attention, got causal.");
  return scope.within(() => {
    // These nodes equal the full form of the attention composite's expansion, so the two share their work there.
    const raw = q.matmul(k, { transposeB: true, dtype: "f32" }).mul(scale);
    const scores =
      softcap === undefined
        ? raw
        : raw
            .mul(1 / softcap)
            .tanh()
            .mul(softcap);
    const same = segments?.reshape([batch, 1, seq, 1]).equal(segments.reshape([batch, 1, 1, seq]));
    const near =
      window === undefined
        ? undefined
        : q.graph
            .iota([1, 1, seq, 1], 2)
            .sub(q.graph.iota([1, 1, 1, seq], 3))
            .abs()
            .less(window + 1);
    const seen = same && near ? same.and(near) : (same ?? near);
    const maps = softmax(seen ? seen.select(scores, -1e30) : scores);
    return options.differential ? differentialMaps(scope, maps, headDim, options.differential) : maps;
  });
}

/** Shapes: x `[batch, seq, hidden]` -> `[batch, heads, seq, hidden / heads]`. */
export function splitHeads(x: Tensor<"f32">, heads: number): Tensor<"f32"> {
  const { batch, seq, hidden } = dims("splitHeads(x)", x, "batch seq hidden");
  if (hidden % heads !== 0)
    throw new ConfigError(`splitHeads: expected a hidden size that ${heads} heads divide, got ${hidden}.`);
  return x.reshape([batch, seq, heads, hidden / heads]).permute([0, 2, 1, 3]);
}

/** Shapes: x `[batch, heads, seq, headDim]` -> `[batch, seq, heads * headDim]`. */
export function mergeHeads(x: Tensor<"f32">): Tensor<"f32"> {
  const { batch, heads, seq, headDim } = dims("mergeHeads(x)", x, "batch heads seq headDim");
  return x.permute([0, 2, 1, 3]).reshape([batch, seq, heads * headDim]);
}
