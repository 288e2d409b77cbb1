/**
 * The composites that replace attention on this backend, one for each kernel of FlashAttention-2 (arXiv:2307.08691):
 *
 *   flashForward  q k v                     -> out, lse
 *   flashGradQ    q k v dout lse delta      -> dq
 *   flashGradKV   q k v dout lse delta      -> dk, dv
 *   flashGradBias q k v dout lse delta      -> dbias
 *
 * `marks` (`attention-spec.ts`) and the bias follow these args where the node has them. delta = rowsum(dout * out). An
 * expansion defines the values of its composite; it keeps all scores in memory.
 */
import { composite, dropoutMask, logSumExp, softmax, type Composite, type Tensor } from "@cloze/graph";
import { marksLayout, type FlashParams } from "./attention-spec.ts";

/** The value of a masked score; the attention composite uses the same one. */
const MASKED = -1e30;

type F32 = Tensor<"f32">;

interface Rows {
  readonly probabilities: F32;
  /** Probabilities after dropout. */
  readonly weights: F32;
  /** Scores after cap, bias and mask. */
  readonly scores: F32;
  /** The dropout factor of each score: 0 or 1 / (1 - rate). */
  readonly kept: F32 | undefined;
  /** Derivative of the soft cap. */
  readonly capSlope: F32 | undefined;
  /** True where a query sees a key; undefined without masks. */
  readonly seen: Tensor<"bool"> | undefined;
}

function rowsOf(q: Tensor, k: Tensor, rest: readonly Tensor[], p: FlashParams): Rows {
  const [batch] = q.shape as [number];
  const queries = q.shape[2] as number;
  const keys = k.shape[2] as number;
  const at = marksLayout(p, queries, keys);
  const marks = rest[0] as Tensor<"i32">;
  const bias = p.masks.includes("bias") ? (rest.at(-1) as F32) : undefined;
  const part = (from: number, size: number): Tensor<"i32"> => marks.slice(1, from, from + size);
  const raw = (q as F32).matmul(k as F32, { transposeB: true, dtype: "f32" }).mul(p.scale);
  const bent = p.softcap === null ? undefined : raw.mul(1 / p.softcap).tanh();
  let scores = bent === undefined ? raw : bent.mul(p.softcap as number);
  if (bias) scores = scores.add(bias);

  const rules: Tensor<"bool">[] = [];
  if (at.padding !== undefined) rules.push(part(at.padding, keys).reshape([batch, 1, 1, keys]).equal(1));
  if (at.segments !== undefined) {
    const ids = part(at.segments, queries);
    rules.push(ids.reshape([batch, 1, queries, 1]).equal(ids.reshape([batch, 1, 1, keys])));
  }
  const distance = q.graph.iota([1, 1, queries, 1], 2).sub(q.graph.iota([1, 1, 1, keys], 3));
  if (p.causal) rules.push(distance.less(0).not());
  if (p.window !== null) rules.push(distance.abs().less(p.window + 1));
  const seen = rules.length === 0 ? undefined : rules.reduce((a, b) => a.and(b));

  const masked = seen ? seen.select(scores, MASKED) : scores;
  const probabilities = softmax(masked);
  const keys2 = at.key === undefined ? undefined : part(at.key, 2).cast("u32");
  const key = p.rowKeys ? keys2 : keys2?.slice(0, 0, 1).reshape([2]);
  const kept = key && dropoutMask(probabilities.shape, key, p.dropoutRate, p.dropoutStream);
  return {
    probabilities,
    weights: kept ? probabilities.mul(kept) : probabilities,
    scores: masked,
    kept,
    capSlope: bent?.square().neg().add(1),
    seen,
  };
}

/** Gradient of the scores before the mask. */
function scoreGradient(args: readonly Tensor[], { probabilities, kept, seen }: Rows): F32 {
  const [, , v, dout, , delta] = args as readonly F32[];
  const dweights = (dout as F32).matmul(v as F32, { transposeB: true, dtype: "f32" });
  const flowing = probabilities.mul((kept ? dweights.mul(kept) : dweights).sub(delta as F32));
  return seen ? seen.select(flowing, 0) : flowing;
}

/** Gradient of q k^T. */
function productGradient(args: readonly Tensor[], rows: Rows, p: FlashParams): Tensor {
  const ds = scoreGradient(args, rows);
  return (rows.capSlope ? ds.mul(rows.capSlope) : ds).mul(p.scale).cast((args[0] as Tensor).dtype);
}

export const flashForward: Composite = /* @__PURE__ */ composite<FlashParams>({
  name: "flashForward",
  expand: ([q, k, v, ...rest], p) => {
    const { weights, scores } = rowsOf(q as Tensor, k as Tensor, rest, p);
    return [weights.cast((v as Tensor).dtype).matmul(v as Tensor), logSumExp(scores)];
  },
});

export const flashGradQ: Composite = /* @__PURE__ */ composite<FlashParams>({
  name: "flashGradQ",
  expand: (args, p) => {
    const [q, k] = args as [Tensor, Tensor];
    return [productGradient(args, rowsOf(q, k, args.slice(6), p), p).matmul(k)];
  },
});

export const flashGradKV: Composite = /* @__PURE__ */ composite<FlashParams>({
  name: "flashGradKV",
  expand: (args, p) => {
    const [q, k, v, dout] = args as [Tensor, Tensor, Tensor, Tensor];
    const rows = rowsOf(q, k, args.slice(6), p);
    return [
      productGradient(args, rows, p).matmul(q, { transposeA: true }),
      rows.weights.cast(v.dtype as "f32").matmul(dout as F32, { transposeA: true }),
    ];
  },
});

export const flashGradBias: Composite = /* @__PURE__ */ composite<FlashParams>({
  name: "flashGradBias",
  expand: (args, p) => {
    const [q, k] = args as [Tensor, Tensor];
    const bias = args.at(-1) as Tensor;
    const ds = scoreGradient(args, rowsOf(q, k, args.slice(6), p));
    const axes = bias.shape.flatMap((d, i) => (d === 1 && ds.shape[i] !== 1 ? [i] : []));
    return [axes.length > 0 ? ds.sum(axes, true) : ds];
  },
});
