/**
 * The specification of an attention kernel: sizes, masks, and the names of the WGSL functions that load the args and
 * store the outputs. `specOf` reads a spec from a node of one of the private composites (`composites.ts`).
 *
 * `marks` is one i32 tensor [batch, width]. It holds the data that decides which query sees which key: segment ids, key
 * padding, the span of segment ids of each block of rows, and the dropout key. `marks` costs one binding. Hash-consing
 * makes it one node, computed once a step.
 */
import type { Node, Tensor } from "@cloze/graph";
import type { Loader, Storer } from "../kernel.ts";

/** The largest head dimension that a row of registers or of workgroup memory holds. */
export const MAX_HEAD_DIM = 128;

export type FlashParams = {
  readonly scale: number;
  readonly causal: boolean;
  readonly window: number | null;
  readonly softcap: number | null;
  readonly dropoutRate: number;
  readonly dropoutStream: number;
  /** A dropout key for each row of the batch, not one key for all. */
  readonly rowKeys: boolean;
  /** The masks of this node: a subset of keyPadding, segments, bias and key. */
  readonly masks: readonly string[];
  /** Rows of a block of queries and of a block of keys. The kernels skip whole blocks. */
  readonly queryBlock: number;
  readonly keyBlock: number;
};

/** The offset of each part in a row of marks; undefined where the part is absent. */
export interface MarksLayout {
  /** Segment id of each position. */
  readonly segments?: number;
  /** 1 where queries may see the key. */
  readonly padding?: number;
  /** Smallest and greatest segment id of each block of queries. */
  readonly queryLeast?: number;
  readonly queryMost?: number;
  /**
   * Smallest and greatest segment id of the visible keys of each block of keys. A block without visible keys has
   * least > most. Without segments every id is 0.
   */
  readonly keyLeast?: number;
  readonly keyMost?: number;
  /** The dropout key: two words. */
  readonly key?: number;
  /** Words in a row of marks; 0 where the kernel needs no marks. */
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

/** The WGSL names that the compiler core gives to a template. */
export interface AttentionHooks {
  /** One for each arg of the node, in order. A loader takes one index for each axis of its arg. */
  readonly loaders: readonly Loader[];
  /** One for each output of the node; undefined where nothing reads the output. */
  readonly storers: readonly (Storer | undefined)[];
  /**
   * WGSL expression of type u32 for the dropout stream (`params.dropoutStream` of the node). The number itself is not
   * in the text, so that layers share one kernel.
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
  /** Whether all of the batch shares one bias, and whether all heads share one. */
  readonly bias: { readonly oneBatch: boolean; readonly oneHead: boolean } | undefined;
  /** Loaders by name of the arg: q, k, v, dout, lse, delta, marks, bias. */
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

/** Can a query see no key at all? Segments alone never cause this: a query's segment holds the query's own key. */
export const mayBeBlind = (s: AttentionSpec): boolean =>
  s.marks.padding !== undefined || (s.window !== null && s.queries - 1 - s.window > s.keys - 1);
