/**
 * Differential attention: heads in pairs. Each pair is the difference of two attention maps, so the common part of the
 * two maps cancels out.
 *
 *   head      (softmax(q1 k1^T / sqrt d) - l softmax(q2 k2^T / sqrt d)) [v1 v2] ─ RMSNorm with gain ─ times 1 - l0
 *   l         exp(lq1 . lk1) - exp(lq2 . lk2) + l0: one number a layer, learnt through four vectors `[headDim]`
 *   l0        0.8 - 0.6 exp(-0.3 i) in layer i, counted from 0
 *
 * Query and key heads 2 j and 2 j + 1 are the two maps of a pair. Value heads 2 j and 2 j + 1 are the 2 headDim
 * channels of the pair. So the projections keep their shapes. The only new parameters are the four vectors and the gain
 * `[2 headDim]`. (The paper counts a pair as one head.)
 *
 * Both maps weigh both halves of the values, in two attention composites over the same queries and keys. Attention
 * kernels work unchanged. Where a backend expands the composite, both share one set of scores. Cost: 1.5 times
 * attention where the scores are shared, 2 times where a kernel computes the scores twice.
 *
 * Source: Ye et al. 2024, arXiv:2410.05258, equations 1 to 3. The order of heads is the order of the published code
 * (microsoft/unilm, Diff-Transformer). Checked against plain PyTorch, tooling/golden/speedrun.py: logits, and every
 * gradient in f64.
 */
import { ConfigError } from "@cloze/errors";
import { dims, rmsNorm, type Tensor } from "@cloze/graph";
import { ones, type Init } from "./init.ts";
import type { Scope } from "./scope.ts";

export interface DifferentialOptions {
  /** Place of the layer in its stack, from 0. A deeper layer starts with a larger weight of the second map. */
  readonly layer: number;
  /** The eps of the norm of each head. Default 1e-5. */
  readonly eps?: number;
}

/** The initial weight of the second map, l0. */
export function differentialLambdaInit(layer: number): number {
  return 0.8 - 0.6 * Math.exp(-0.3 * layer);
}

/** The paper's initial distribution of the four vectors. */
const VECTOR: Init = { kind: "normal", std: 0.1 };

/** Parameters: lambda_q1, lambda_k1, lambda_q2, lambda_k2 `[headDim]`. -> a number, shape `[]`. */
function lambda(scope: Scope, headDim: number, { layer }: DifferentialOptions): Tensor<"f32"> {
  const power = (i: 1 | 2): Tensor<"f32"> =>
    scope
      .param(`lambda_q${i}`, [headDim], { init: VECTOR })
      .mul(scope.param(`lambda_k${i}`, [headDim], { init: VECTOR }))
      .sum(0)
      .exp();
  return power(1).sub(power(2)).add(differentialLambdaInit(layer));
}

/**
 * x `[batch, heads, rows, columns]` -> its heads of even and of odd number, each `[batch, heads / 2, rows, columns]`.
 */
function pairs(x: Tensor<"f32">): readonly [Tensor<"f32">, Tensor<"f32">] {
  const { batch, heads, rows, columns } = dims("differential attention", x, "batch heads rows columns");
  if (heads % 2 !== 0)
    throw new ConfigError(
      `differential attention: expected an even number of heads, which are taken in pairs, got ${heads}.`,
    );
  const paired = x.reshape([batch, heads / 2, 2, rows * columns]);
  const part = (i: number): Tensor<"f32"> => paired.slice(2, i, i + 1).reshape([batch, heads / 2, rows, columns]);
  return [part(0), part(1)];
}

/** The inverse of `pairs` for two equal halves: each head occurs twice in a row. */
function twice(x: Tensor<"f32">): Tensor<"f32"> {
  const [batch, heads, rows, columns] = x.shape as [number, number, number, number];
  return x
    .reshape([batch, heads, 1, rows * columns])
    .broadcast([batch, heads, 2, rows * columns])
    .reshape([batch, 2 * heads, rows, columns]);
}

/**
 * The output of the pairs of heads. `weigh` is attention over values; it receives values of all heads.
 *
 * Parameters: the parameters of lambda, and subln.weight `[2 headDim]`. Shapes: v `[batch, heads, seq, headDim]` ->
 * `[batch, heads / 2, seq, 2 headDim]`. Throws ConfigError for an odd number of heads.
 */
export function differentialHeads(
  scope: Scope,
  v: Tensor<"f32">,
  weigh: (v: Tensor<"f32">) => Tensor<"f32">,
  options: DifferentialOptions,
): Tensor<"f32"> {
  const headDim = v.shape[3] as number;
  const less = lambda(scope, headDim, options);
  const [left, right] = pairs(v).map((half) => {
    const [first, second] = pairs(weigh(twice(half)));
    return first.sub(second.mul(less));
  }) as [Tensor<"f32">, Tensor<"f32">];
  const gain = scope.param("subln.weight", [2 * headDim], { init: ones });
  return rmsNorm(left.concat([right], 3), gain, options.eps ?? 1e-5).mul(1 - differentialLambdaInit(options.layer));
}

/**
 * The maps that weigh the values, before the norm: `[batch, heads, seq, seq]` -> `[batch, heads / 2, seq, seq]`. Some
 * elements are below 0.
 */
export function differentialMaps(
  scope: Scope,
  maps: Tensor<"f32">,
  headDim: number,
  options: DifferentialOptions,
): Tensor<"f32"> {
  const [first, second] = pairs(maps);
  return first.sub(second.mul(lambda(scope, headDim, options)));
}
