/**
 * Where the expansion of attention computes scores: over all pairs, or in a band.
 *
 *   full    scores [batch, heads, queries, keys]
 *   banded  scores [batch, heads, blocks, block, block + 2 window]  (block + window where causal)
 *
 * In the band, block n holds the queries n * block …; the keys it can see are those of the same positions and `window`
 * more to either side, a slice of the padded sequence. A block of scores is one product, whose columns outside of the
 * sequence or of the window are masked. Pairs, and with them time and memory, grow with seq * (block + 2 window) and no
 * more with seq^2.
 *
 * A form says how tensors by query and by key are laid out for those products, and back; what is computed is written
 * once. Left to the full form: key padding, and other numbers of keys than of queries, under which a query may see no
 * key and then attends to all of them; a bias, which is as large as the full scores.
 *
 * Dropout is drawn for all pairs and cut to the band, so that the form does not change the mask: that draw still grows
 * with seq^2.
 */
import type { Tensor } from "../tensor.ts";
import type { AttentionParams, Parts } from "./attention-parts.ts";

export interface AttentionForm {
  /** [batch, heads, queries, x], as rows of scores. */
  readonly rows: <T extends Tensor>(x: T) => T;
  /** [batch, heads, keys, x], as columns of scores: in a band each key several times. */
  readonly columns: <T extends Tensor>(x: T) => T;
  /** [batch, heads, queries, keys], as scores. */
  readonly pairs: <T extends Tensor>(x: T) => T;
  readonly fromRows: <T extends Tensor>(x: T) => T;
  /** The sum over where a key stands. */
  readonly fromColumns: <T extends Tensor>(x: T) => T;
  /** Where a query may see a key, in the shape of scores but for sizes of 1; undefined where it may see all. */
  readonly seen: Tensor<"bool"> | undefined;
}

/** The cheaper form of the two; both give the same. */
export function formOf(parts: Parts, p: AttentionParams): AttentionForm {
  const block = bandOf(parts, p);
  return block === undefined ? full(parts, p) : banded(parts, p, p.window as number, block);
}

/** Smallest block: products of fewer rows waste an engine's tiles. */
const LEAST_BLOCK = 32;

/**
 * Queries in a block of the band, or undefined where the full form is to be taken.
 *
 * A block as long as the window makes three pairs of each one that is needed at the least, with few copies of keys. The
 * copies, and the smaller products, are paid by a band of at most 3/4 of all pairs.
 */
export function bandOf(
  { q, k, extra }: Pick<Parts, "q" | "k" | "extra">,
  { window, causal }: Pick<AttentionParams, "window" | "causal">,
): number | undefined {
  const queries = q.shape[2] as number;
  const keys = k.shape[2] as number;
  if (window === null || queries !== keys || extra.keyPadding || extra.bias) return undefined;
  const block = Math.max(LEAST_BLOCK, window);
  const width = block + (causal ? 1 : 2) * window;
  return 4 * Math.ceil(queries / block) * block * width <= 3 * queries * keys ? block : undefined;
}

const same = <T extends Tensor>(x: T): T => x;
const all = (rules: readonly Tensor<"bool">[]): Tensor<"bool"> | undefined =>
  rules.length === 0 ? undefined : rules.reduce((a, b) => a.and(b));

function full({ q, k, extra }: Parts, { causal, window }: AttentionParams): AttentionForm {
  const { graph } = q;
  const [batch] = q.shape as [number];
  const queries = q.shape[2] as number;
  const keys = k.shape[2] as number;
  const rules: Tensor<"bool">[] = [];
  if (extra.keyPadding) rules.push((extra.keyPadding as Tensor<"bool">).reshape([batch, 1, 1, keys]));
  if (extra.segments) {
    const s = extra.segments as Tensor<"i32">;
    rules.push(s.reshape([batch, 1, queries, 1]).equal(s.reshape([batch, 1, 1, keys])));
  }
  if (causal || window !== null) {
    const distance = graph.iota([1, 1, queries, 1], 2).sub(graph.iota([1, 1, 1, keys], 3));
    if (causal) rules.push(distance.less(0).not());
    if (window !== null) rules.push(distance.abs().less(window + 1));
  }
  return { rows: same, columns: same, pairs: same, fromRows: same, fromColumns: same, seen: all(rules) };
}

/** `size` of the elements from `start` on along `axis`, with `value` in place of those that are not there. */
const cut = <T extends Tensor>(x: T, axis: number, start: number, size: number): T => {
  const length = x.shape[axis] as number;
  const from = Math.max(0, start);
  const to = Math.min(length, start + size);
  const kept = from === 0 && to === length ? x : x.slice(axis, from, to);
  const at = (n: number): number[] => x.shape.map((_, i) => (i === axis ? n : 0));
  return (from === start && to === start + size ? kept : kept.pad(at(from - start), at(start + size - to))) as T;
};

/** The band by blocks of any size. */
export function banded({ q, extra }: Parts, { causal }: AttentionParams, window: number, block: number): AttentionForm {
  const { graph } = q;
  const [batch, heads, seq] = q.shape as [number, number, number, number];
  const blocks = Math.ceil(seq / block);
  const width = block + (causal ? 1 : 2) * window;
  // A block's columns in pieces of a block: [offset, length].
  const pieces = Array.from(
    { length: Math.ceil(width / block) },
    (_, i) => [i * block, Math.min(block, width - i * block)] as const,
  );
  const padded = (pieces.length - 1 + blocks) * block;

  const split = (x: Tensor): Tensor => x.reshape([...x.shape.slice(0, 2), blocks, block, ...x.shape.slice(3)]);
  const joined = (x: Tensor): Tensor => x.reshape([...x.shape.slice(0, 2), blocks * block, ...x.shape.slice(4)]);
  const rows = (x: Tensor): Tensor => split(cut(x, 2, 0, blocks * block));
  const columns = (x: Tensor): Tensor => {
    const from = cut(x, 2, -window, padded);
    const [first, ...rest] = pieces.map(([at, size]) => cut(split(cut(from, 2, at, blocks * block)), 3, 0, size));
    return (first as Tensor).concat(rest, 3);
  };
  const fromColumns = (x: Tensor): Tensor => {
    const parts = pieces.map(([at, size]) => cut(joined(cut(cut(x, 3, at, size), 3, 0, block)), 2, -at, padded));
    return cut(
      parts.reduce((a, b) => a.add(b)),
      2,
      window,
      seq,
    );
  };
  // Of all squares of block x block, those from the diagonal on: in rows that are one square longer they stand one
  // below another.
  const pairs = (x: Tensor): Tensor => {
    const across = pieces.length - 1 + blocks;
    const whole = cut(cut(x, 2, 0, blocks * block), 3, -window, padded);
    const area = block * block;
    const squares = whole
      .reshape([batch * heads * blocks, block, across, block])
      .permute([0, 2, 1, 3])
      .reshape([batch * heads, blocks * across, area]);
    const skewed = cut(squares, 1, 0, blocks * (across + 1)).reshape([
      batch * heads * blocks,
      across + 1,
      block,
      block,
    ]);
    const near = cut(skewed, 1, 0, pieces.length)
      .permute([0, 2, 1, 3])
      .reshape([batch, heads, blocks, block, pieces.length * block]);
    return cut(near, 4, 0, width);
  };

  // Column c of row r stands at r + (c - window - r), c - window being counted from the block's first query.
  const ahead = graph.iota([1, 1, 1, 1, width], 4).sub(graph.iota([1, 1, 1, block, 1], 3));
  const at = graph
    .iota([1, 1, blocks, 1, 1], 2)
    .mul(block)
    .add(graph.iota([1, 1, 1, 1, width], 4));
  const rules: Tensor<"bool">[] = [
    ahead.less(0).not(),
    ahead.less((causal ? 1 : 2) * window + 1),
    at
      .less(window)
      .not()
      .and(at.less(window + seq)),
  ];
  if (extra.segments) {
    const s = extra.segments.reshape([batch, 1, seq, 1]);
    rules.push(rows(s).equal(columns(s).reshape([batch, 1, blocks, 1, width])));
  }
  const as =
    (f: (x: Tensor) => Tensor) =>
    <T extends Tensor>(x: T): T =>
      f(x) as T;
  return {
    rows: as(rows),
    columns: as(columns),
    pairs: as(pairs),
    fromRows: as((x) => cut(joined(x), 2, 0, seq)),
    fromColumns: as(fromColumns),
    seen: all(rules),
  };
}
