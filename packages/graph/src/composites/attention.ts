/**
 * Attention: softmax(scale * q k^T, masked) v. The mask is a description, so that a kernel can skip the pairs that the
 * mask rules out and builds [seq, seq] only where necessary.
 *
 * The description: key padding (a bool per key), segment ids (a token sees its own segment: packed documents; padding
 * is a segment of its own), causal, a window (|i - j| <= window), an additive bias, softcap * tanh(score / softcap),
 * dropout. A query that may see no key attends to all keys evenly: no NaN.
 *
 * Outputs: the result, and the log-sum-exp of each row of scores, from which a backward kernel rebuilds the
 * probabilities. Own gradient (FlashAttention-2, arXiv:2307.08691): with P the probabilities, D = rowsum(dO * O),
 * dV = P^T dO, dS = P * (dO V^T - D), dQ = dS K, dK = dS^T Q. Its expansion shares every node up to P with the
 * expansion of the forward composite.
 *
 * Both expansions take the cheaper of two forms (attention-form.ts): all pairs, or under a window a band of the pairs.
 */
import { ConfigError } from "@cloze/errors";
import { call, composite, type Composite } from "../composite.ts";
import { dims } from "../dims.ts";
import { sameShape } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { dropoutMask } from "./dropout.ts";
import { formOf, type AttentionForm } from "./attention-form.ts";
import { EXTRAS, partsOf, type AttentionParams, type Extra, type Parts } from "./attention-parts.ts";
import { logSumExp, softmax } from "./softmax.ts";

/**
 * A masked score: far below any real score, so softmax gives 0; finite, so that a row of masked scores alone gives no
 * NaN.
 */
const MASKED = -1e30;

export interface AttentionOptions {
  /** Default 1 / sqrt(headDim). */
  readonly scale?: number;
  /** bool [batch, keys]: true where a key may be seen. */
  readonly keyPadding?: Tensor<"bool">;
  /** i32 [batch, seq]: queries see keys of the same segment only. */
  readonly segments?: Tensor<"i32">;
  /** f32 [batch | 1, heads | 1, queries, keys], added to the scores. */
  readonly bias?: Tensor<"f32">;
  readonly causal?: boolean;
  readonly window?: number;
  readonly softcap?: number;
  /** `key`: u32 [batch, 2], a key for each row, or u32 [2]; see `dropout`. */
  readonly dropout?: { readonly rate: number; readonly stream: number; readonly key: Tensor<"u32"> };
}

interface Scores {
  /** Scores after cap, bias and mask, in the layout of `form`. */
  readonly scores: Tensor<"f32">;
  /** The factor of the softcap in the gradient of the scores. */
  readonly capSlope: Tensor<"f32"> | undefined;
  readonly form: AttentionForm;
}

function scoresOf(parts: Parts, p: AttentionParams): Scores {
  const { q, k, extra } = parts;
  const form = formOf(parts, p);
  const raw = form.rows(q).matmul(form.columns(k), { transposeB: true, dtype: "f32" }).mul(p.scale);
  const bent = p.softcap === null ? undefined : raw.mul(1 / p.softcap).tanh();
  let scores = bent === undefined ? raw : bent.mul(p.softcap as number);
  if (extra.bias) scores = scores.add(form.pairs(extra.bias as Tensor<"f32">));
  return { scores: form.seen ? form.seen.select(scores, MASKED) : scores, capSlope: bent?.square().neg().add(1), form };
}

/** The factors of dropout. The draw is over all pairs, so it does not depend on the form. */
function keptBy({ q, k, extra }: Parts, { pairs }: AttentionForm, p: AttentionParams): Tensor<"f32"> | undefined {
  if (p.dropoutRate === 0) return undefined;
  const [batch, heads, queries] = q.shape as [number, number, number, number];
  const keys = k.shape[2] as number;
  return pairs(dropoutMask([batch, heads, queries, keys], extra.key as Tensor<"u32">, p.dropoutRate, p.dropoutStream));
}

export const attentionComposite: Composite = composite<AttentionParams>({
  name: "attention",
  expand: (args, p) => {
    const parts = partsOf(args, p);
    const { scores, form } = scoresOf(parts, p);
    const probabilities = softmax(scores);
    const kept = keptBy(parts, form, p);
    const weights = (kept ? probabilities.mul(kept) : probabilities).cast(parts.v.dtype);
    return [form.fromRows(weights.matmul(form.columns(parts.v))), form.fromRows(logSumExp(scores))];
  },
  vjp: ([ct, ctLse], [out, lse], args, p) =>
    ct === undefined || ctLse !== undefined
      ? undefined
      : [...call(attentionBackwardComposite, [ct, out as Tensor, lse as Tensor, ...args], p)],
});

/**
 * args: ct, out, lse, then the args of attention. Outputs dq, dk, dv. With a bias, a stand-in for each optional tensor
 * before the bias follows, and then dbias.
 */
export const attentionBackwardComposite: Composite = composite<AttentionParams>({
  name: "attentionBackward",
  expand: ([ct, out, , ...args], p) => {
    const parts = partsOf(args, p);
    const { v, extra } = parts;
    const { scores, capSlope, form } = scoresOf(parts, p);
    const [q, k] = [form.rows(parts.q), form.columns(parts.k)];
    const probabilities = softmax(scores);
    const kept = keptBy(parts, form, p);
    const dout = form.rows(ct as Tensor<"f32">);
    const weights = (kept ? probabilities.mul(kept) : probabilities).cast(v.dtype);
    const dv = weights.matmul(dout, { transposeA: true });
    const dweights = dout.matmul(form.columns(v), { transposeB: true, dtype: "f32" });
    const rows = form.rows(
      (ct as Tensor<"f32">)
        .cast("f32")
        .mul((out as Tensor).cast("f32"))
        .sum(-1, true),
    );
    const flowing = probabilities.mul((kept ? dweights.mul(kept) : dweights).sub(rows));
    // Where a query sees no key, the probabilities are even and not zero. No gradient may flow there.
    const dscores = form.seen ? form.seen.select(flowing, 0) : flowing;
    const draw = (capSlope ? dscores.mul(capSlope) : dscores).mul(p.scale).cast(q.dtype);
    const grads: Tensor[] = [
      form.fromRows(draw.matmul(k)),
      form.fromColumns(draw.matmul(q, { transposeA: true })),
      form.fromColumns(dv),
    ];
    if (!extra.bias) return grads;
    const axes = (extra.bias as Tensor).shape.flatMap((d, i) => (d === 1 && dscores.shape[i] !== 1 ? [i] : []));
    // One slot per optional tensor before the bias keeps the outputs in the order of the args.
    return [
      ...grads,
      ...p.extras.slice(0, p.extras.indexOf("bias")).map((name) => zeroLike(extra[name as Extra] as Tensor)),
      axes.length > 0 ? dscores.sum(axes, true) : dscores,
    ];
  },
});

/** A stand-in for an integer arg's cotangent. Nothing reads it, since the walk stops at integers. */
const zeroLike = (x: Tensor): Tensor => x.graph.const(0, x.dtype);

/**
 * Scaled dot-product attention with a mask description.
 *
 * Shapes: q `[batch, heads, queries, headDim]`, k and v `[batch, heads, keys, headDim]` f32 -> like q.
 * Throws ShapeError when the shapes disagree, or when segments are given and queries != keys.
 */
export function attention(
  q: Tensor<"f32">,
  k: Tensor<"f32">,
  v: Tensor<"f32">,
  options: AttentionOptions = {},
): Tensor<"f32"> {
  const { batch, heads, queries, headDim } = dims("attention(q)", q, "batch heads queries headDim");
  const { keys } = dims("attention(k)", k, "batch heads keys headDim", { batch, heads, headDim });
  dims("attention(v)", v, "batch heads keys headDim", { batch, heads, keys });
  if (options.keyPadding) dims("attention(keyPadding)", options.keyPadding, "batch keys", { batch, keys });
  if (options.segments) {
    dims("attention(segments)", options.segments, "batch queries", { batch, queries });
    if (queries !== keys)
      throw new ShapeError({
        op: "attention(segments)",
        path: q.graph.path,
        expected: "as many queries as keys",
        got: `${queries} and ${keys}`,
      });
  }
  if (options.bias) {
    const full = [batch, heads, queries, keys];
    const fits = options.bias.rank === 4 && options.bias.shape.every((d, i) => d === full[i] || (i < 2 && d === 1));
    if (!fits || !sameShape(options.bias.shape.slice(2), full.slice(2)))
      throw new ShapeError({
        op: "attention(bias)",
        path: q.graph.path,
        expected: `[${batch} or 1, ${heads} or 1, ${queries}, ${keys}]`,
        got: `[${options.bias.shape.join(", ")}]`,
      });
  }
  const { dropout } = options;
  const rate = dropout?.rate ?? 0;
  if (!(rate >= 0 && rate < 1)) throw new ConfigError(`attention: expected a dropout rate in [0, 1), got ${rate}`);
  const given: Partial<Record<Extra, Tensor | undefined>> = {
    keyPadding: options.keyPadding,
    segments: options.segments,
    bias: options.bias,
    key: rate > 0 ? dropout?.key : undefined,
  };
  const extras = EXTRAS.filter((name) => given[name] !== undefined);
  const params: AttentionParams = {
    scale: options.scale ?? 1 / Math.sqrt(headDim),
    causal: options.causal ?? false,
    window: options.window ?? null,
    softcap: options.softcap ?? null,
    dropoutRate: rate,
    dropoutStream: rate > 0 ? (dropout?.stream ?? 0) : 0,
    extras,
  };
  return call(
    attentionComposite,
    [q, k, v, ...extras.map((name) => given[name] as Tensor)],
    params,
  )[0] as Tensor<"f32">;
}
