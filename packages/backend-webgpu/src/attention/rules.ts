/**
 * The rewrite rules from attention to flash attention. `attention` becomes flashForward. `attentionBackward` becomes
 * flashGradQ, flashGradKV and flashGradBias, each only where the program uses its gradient. Cheap work stays plain
 * graph and is shared: delta = rowsum(dout * out), and `marks`, which all layers have in common.
 *
 * The rules leave some nodes alone, and the compiler expands these: heads above 128, dtypes other than f32 and f16,
 * more scores under dropout with one key than 32-bit counters can number, and sizes or bindings past the device's
 * limits.
 */
import { attention, grad, isOp, rule, type Graph, type Node, type Rule, type Tensor } from "@cloze/graph";
import type { Profile } from "../profile.ts";
import { MAX_HEAD_DIM, marksLayout, type FlashParams } from "./attention-spec.ts";
import { flashForward, flashGradBias, flashGradKV, flashGradQ } from "./composites.ts";
import { tileOf, type FlashKernel } from "./tiles.ts";

/** A lower bound of all ids: the least i32 but one, since -2147483648 is no plain WGSL literal. */
const LOWEST = -2147483647;

/** The number that stands for id 0 in the span of a block: greater than every other id but one. */
const LAST = 2147483646;

type Attention = Node<"composite">["attrs"]["params"] &
  Omit<FlashParams, "masks" | "rowKeys" | "queryBlock" | "keyBlock"> & { readonly extras: readonly string[] };

/** Greatest id of each block of `size` rows: [batch, rows] -> [batch, blocks]. */
function blockMost(x: Tensor<"i32">, size: number): Tensor<"i32"> {
  const [batch, rows] = x.shape as [number, number];
  const blocks = Math.ceil(rows / size);
  return x
    .pad([0, 0], [0, blocks * size - rows], LOWEST)
    .reshape([batch, blocks, size])
    .reduceMax(2);
}

/** -1 - x reverses the order of ids without overflow. */
const turned = (x: Tensor<"i32">): Tensor<"i32"> => x.neg().sub(1);

/**
 * Segment ids, renumbered for the spans of blocks. Any numbering works as long as the ids differ. Packed rows end in
 * padding, whose id is 0. If that id stayed 0, a block with the last document and the first padding would span every
 * document of its row. So id 0 becomes the greatest id.
 */
const inOrder = (ids: Tensor<"i32">): Tensor<"i32"> => ids.equal(0).select(ids.graph.const(LAST, "i32"), ids);

/** The `marks` tensor, in the layout of `marksLayout`; no tensor where the kernel needs no marks. */
function marksOf(
  p: FlashParams,
  extra: ReadonlyMap<string, Tensor>,
  [batch, queries, keys]: readonly [number, number, number],
): Tensor[] {
  if (marksLayout(p, queries, keys).width === 0) return [];
  const ids = extra.get("segments") as Tensor<"i32"> | undefined;
  const padding = extra.get("keyPadding") as Tensor<"bool"> | undefined;
  const key = extra.get("key");
  const parts: Tensor<"i32">[] = [];
  if (ids) parts.push(ids);
  if (padding) parts.push(padding.cast("i32"));
  const spanned = ids && inOrder(ids);
  if (spanned) parts.push(turned(blockMost(turned(spanned), p.queryBlock)), blockMost(spanned, p.queryBlock));
  if (spanned ?? padding) {
    const known = spanned ?? (padding as Tensor<"bool">).graph.full([batch, keys], 0, "i32");
    const visible = (x: Tensor<"i32">): Tensor<"i32"> => (padding ? padding.select(x, LOWEST) : x);
    parts.push(turned(blockMost(visible(turned(known)), p.keyBlock)), blockMost(visible(known), p.keyBlock));
  }
  if (key) parts.push((key.cast("i32") as Tensor<"i32">).reshape([-1, 2]).broadcast([batch, 2]));
  const [first, ...others] = parts as [Tensor<"i32">, ...Tensor<"i32">[]];
  return [others.length > 0 ? first.concat(others, 1) : first];
}

/**
 * Do the sizes and bindings fit the device? A kernel writes `outputs` storages. A dropout stream takes a binding too.
 */
function fits(
  kernel: FlashKernel,
  q: Tensor,
  k: Tensor,
  rest: number,
  outputs: number,
  p: Attention,
  rowKeys: boolean,
  { limits, f16 }: Profile,
): boolean {
  const [batch, heads, queries, headDim] = q.shape as readonly [number, number, number, number];
  const keys = k.shape[2] as number;
  return (
    Math.min(batch, heads, queries, keys, headDim) > 0 &&
    headDim <= MAX_HEAD_DIM &&
    (q.dtype === "f32" || (q.dtype === "f16" && f16)) &&
    (p.dropoutRate === 0 || rowKeys || batch * heads * queries * keys <= 2 ** 32) &&
    Math.max(batch * heads, queries, keys) <= limits.workgroups &&
    (kernel === "flashForward" ? 3 : 6) + rest + outputs + Number(p.dropoutRate > 0) <= limits.storageBuffers
  );
}

/** Params and trailing args (marks, bias) of a kernel, or undefined where the device cannot run the kernel. */
function prepared(
  kernel: FlashKernel,
  outputs: number,
  q: Tensor,
  k: Tensor,
  extras: readonly Tensor[],
  p: Attention,
  profile: Profile,
): { readonly params: FlashParams; readonly rest: readonly Tensor[] } | undefined {
  const extra = new Map(p.extras.map((name, i) => [name, extras[i] as Tensor]));
  const bias = extra.get("bias");
  const needsMarks = p.extras.some((name) => name !== "bias");
  const rowKeys = extra.get("key")?.rank === 2;
  const rest = Number(needsMarks) + Number(bias !== undefined);
  if (!fits(kernel, q, k, rest, outputs, p, rowKeys, profile)) return undefined;
  const tile = tileOf(kernel, q.shape[3] as number, q.dtype as "f32" | "f16", profile);
  const overKeys = kernel === "flashGradKV";
  if (tile === undefined) return undefined;
  const { scale, causal, window, softcap, dropoutRate, dropoutStream } = p;
  const params: FlashParams = {
    scale,
    causal,
    window,
    softcap,
    dropoutRate,
    dropoutStream,
    rowKeys,
    masks: p.extras,
    queryBlock: overKeys ? tile.other : tile.own,
    keyBlock: overKeys ? tile.own : tile.other,
  };
  return {
    params,
    rest: [
      ...marksOf(params, extra, [q.shape[0] as number, q.shape[2] as number, k.shape[2] as number]),
      ...(bias ? [bias] : []),
    ],
  };
}

function forward(x: Node<"composite">, profile: Profile): Tensor | undefined {
  const [q, k, v, ...extras] = x.args as [Tensor, Tensor, Tensor, ...Tensor[]];
  const made = prepared("flashForward", 2, q, k, extras, x.attrs.params as Attention, profile);
  return made && x.graph.call(flashForward, [q, k, v, ...made.rest], made.params)[x.attrs.index];
}

function backward(x: Node<"composite">, profile: Profile): Tensor | undefined {
  const [ct, out, lse, q, k, v, ...extras] = x.args as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, ...Tensor[]];
  const { index, count } = x.attrs;
  const p = x.attrs.params as Attention;
  // The outputs between v's gradient and the last one belong to integer args. Nothing reads them, so they are
  // constants.
  if (index > 2 && index < count - 1) return x.graph.const(0, x.dtype);
  const [made, at] = index === 0 ? [flashGradQ, 0] : index < 3 ? [flashGradKV, index - 1] : [flashGradBias, 0];
  const ready = prepared(made.name as FlashKernel, made === flashGradKV ? 2 : 1, q, k, extras, p, profile);
  if (ready === undefined || [ct, out, k, v].some((t) => t.dtype !== q.dtype)) return undefined;
  const delta = ct.cast("f32").mul(out.cast("f32")).sum(-1, true);
  return x.graph.call(made, [q, k, v, ct, lse, delta, ...ready.rest], ready.params)[at];
}

export function attentionRules(profile: Profile): readonly Rule[] {
  const named = (x: Node<"composite">, name: string): boolean => x.attrs.composite.name === name;
  return [
    rule(
      "attention -> flashForward",
      "composite",
      (x) => (named(x, "attention") ? forward(x, profile) : undefined),
      (g) => example(g),
    ),
    rule(
      "attentionBackward -> flashGradQ, flashGradKV, flashGradBias",
      "composite",
      (x) => (named(x, "attentionBackward") ? backward(x, profile) : undefined),
      (g) => {
        const inputs = ["q", "k", "v", "bias"].map((name) => operand(g, name));
        const ct = g.input("ct", "f32", SHAPE);
        return grad(example(g).mul(ct).sum(), inputs).reduce((sum, d) => sum.add(d.sum()), g.const(0, "f32"));
      },
    ),
  ];
}

const SHAPE = [2, 2, 5, 3] as const;
const operand = (g: Graph, name: string): Tensor<"f32"> => g.input(name, "f32", name === "bias" ? [1, 2, 5, 5] : SHAPE);

function example(g: Graph): Tensor<"f32"> {
  return attention(operand(g, "q"), operand(g, "k"), operand(g, "v"), {
    bias: operand(g, "bias"),
    segments: g.input("segments", "i32", [2, 5]),
    keyPadding: g.input("padding", "bool", [2, 5]),
    window: 3,
    softcap: 2,
    dropout: { rate: 0.25, stream: 9, key: g.input("key", "u32", [2]) },
  });
}

/** Is `x` a node of a private attention composite? */
export const isFlash = (x: Tensor): x is Node<"composite"> =>
  isOp(x, "composite") && [flashForward, flashGradQ, flashGradKV, flashGradBias].includes(x.attrs.composite);
