/**
 * What the attention kernels are asked for. A spec is read off a node of one of the private composites
 * (`composites.ts`), with the names of the functions that load its args and store its outputs.
 *
 * `marks` is one i32 tensor [batch, width] that holds all there is to know about who sees whom: segment ids, key
 * padding, the span of segment ids of each block of rows, the dropout key. It costs one binding, and hash-consing makes
 * it once a step.
 */
import type { Node, Tensor } from "@cloze/graph";
import type { Loader, Storer } from "../kernel.ts";

/** Largest head: what a row of registers or workgroup memory holds. */
export const MAX_HEAD_DIM = 128;

export type FlashParams = {
  readonly scale: number;
  readonly causal: boolean;
  readonly window: number | null;
  readonly softcap: number | null;
  readonly dropoutRate: number;
  readonly dropoutStream: number;
  /** Of keyPadding, segments, bias and key those that there are. */
  readonly masks: readonly string[];
  /** Rows of a block of queries, and of one of keys: whole blocks are skipped. */
  readonly queryBlock: number;
  readonly keyBlock: number;
};

/** Where in a row of marks each part begins. */
export interface MarksLayout {
  /** Segment id of each position. */
  readonly segments?: number;
  /** 1 where a key may be seen. */
  readonly padding?: number;
  /** Least and greatest segment id of each block of queries. */
  readonly queryLeast?: number;
  readonly queryMost?: number;
  /** The same of the visible keys of each block; least > most where there is none. Without segments every id is 0. */
  readonly keyLeast?: number;
  readonly keyMost?: number;
  /** Two words. */
  readonly key?: number;
  /** 0 where no marks are needed. */
  readonly width: number;
}

export function marksLayout(p: FlashParams, queries: number, keys: number): MarksLayout {
  const segments = p.masks.includes("segments");
  const padding = p.masks.includes("keyPadding");
  const key = p.masks.includes("key");
  let width = 0;
  const next = (size: number): number => (width += size) - size;
  const queryBlocks = Math.ceil(queries / p.queryBlock);
  const keyBlocks = Math.ceil(keys / p.keyBlock);
  return {
    ...(segments && { segments: next(queries) }),
    ...(padding && { padding: next(keys) }),
    ...(segments && { queryLeast: next(queryBlocks), queryMost: next(queryBlocks) }),
    ...((segments || padding) && { keyLeast: next(keyBlocks), keyMost: next(keyBlocks) }),
    ...(key && { key: next(2) }),
    width,
  };
}

/** What the compiler core writes around a template. */
export interface AttentionHooks {
  /** One for each arg of the node, in order; indices as the arg is shaped. */
  readonly loaders: readonly Loader[];
  /** One for each output of the node; undefined where nobody reads it. */
  readonly storers: readonly (Storer | undefined)[];
  /**
   * WGSL expression, u32: the dropout stream (`params.dropoutStream` of the node), kept out of the text so that layers
   * share it.
   */
  readonly stream: string;
}

export interface AttentionSpec extends Omit<FlashParams, "dropoutStream" | "masks"> {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
  readonly element: "f32" | "f16";
  readonly marks: MarksLayout;
  /** Which leading axes of the bias are shared by all of batch or heads. */
  readonly bias: { readonly oneBatch: boolean; readonly oneHead: boolean } | undefined;
  /** By name: q, k, v, dout, lse, delta, marks, bias. */
  readonly load: Readonly<Record<string, Loader>>;
  readonly store: readonly (Storer | undefined)[];
  readonly stream: string;
}

/** Names of the args of a node, in order. */
export function argNames(node: Node<"composite">): readonly string[] {
  const p = node.attrs.params as FlashParams;
  const needsMarks = p.masks.some((name) => name !== "bias");
  return [
    "q",
    "k",
    "v",
    ...(node.attrs.composite.name === "flashForward" ? [] : ["dout", "lse", "delta"]),
    ...(needsMarks ? ["marks"] : []),
    ...(p.masks.includes("bias") ? ["bias"] : []),
  ];
}

export function specOf(node: Node<"composite">, hooks: AttentionHooks): AttentionSpec {
  const p = node.attrs.params as FlashParams;
  const names = argNames(node);
  const [q, k] = node.args as [Tensor, Tensor];
  const [batch, heads, queries, headDim] = q.shape as readonly [number, number, number, number];
  const keys = k.shape[2] as number;
  const bias = names.includes("bias") ? node.args[names.indexOf("bias")]?.shape : undefined;
  return {
    ...p,
    batch,
    heads,
    queries,
    keys,
    headDim,
    element: q.dtype as "f32" | "f16",
    marks: marksLayout(p, queries, keys),
    bias: bias && { oneBatch: bias[0] === 1, oneHead: bias[1] === 1 },
    load: Object.fromEntries(names.map((name, i) => [name, hooks.loaders[i] as Loader])),
    store: hooks.storers,
    stream: hooks.stream,
  };
}

/** Can a query see no key at all? Segments never do that by themselves: a query is in its own. */
export const mayBeBlind = (s: AttentionSpec): boolean =>
  s.marks.padding !== undefined || (s.window !== null && s.queries - 1 - s.window > s.keys - 1);
