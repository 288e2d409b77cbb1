/**
 * The two layouts in which the expansion of attention computes scores: over all pairs, or in a band.
 *
 *   full    scores [batch, heads, queries, keys]
 *   banded  scores [batch, heads, blocks, block, block + 2 window]  (block + window where causal)
 *
 * In the band, block n holds the queries from n * block on. The keys that a block can see are the keys at the same
 * positions and `window` more keys to either side: a slice of the padded sequence. A block of scores is one product.
 * Its columns outside of the sequence or outside of the window are masked. The number of pairs, and with it time and
 * memory, grows with seq * (block + 2 window) instead of seq^2.
 *
 * A form lays out tensors by query and by key for these products, and back; the computation itself is written once. The
 * full form alone handles three cases: key padding and unequal numbers of keys and queries, where a query may see no
 * key and then attends to all keys; and a bias, which is as large as the full scores.
 *
 * Dropout is drawn for all pairs and cut to the band, so that both forms have the same mask: this draw still grows with
 * seq^2.
 */
import type { Tensor } from "../tensor.ts";
import type { AttentionParams, Parts } from "./attention-parts.ts";

export interface AttentionForm {
  /** [batch, heads, queries, x] laid out as rows of scores. */
  readonly rows: <T extends Tensor>(x: T) => T;
  /** [batch, heads, keys, x] laid out as columns of scores. In a band each key occurs several times. */
  readonly columns: <T extends Tensor>(x: T) => T;
  /** [batch, heads, queries, keys] laid out as scores. */
  readonly pairs: <T extends Tensor>(x: T) => T;
  /** The inverse of `rows`. */
  readonly fromRows: <T extends Tensor>(x: T) => T;
  /** The inverse of `columns`, with the sum over all places of a key. */
  readonly fromColumns: <T extends Tensor>(x: T) => T;
  /**
   * True where a query may see a key, in a shape that broadcasts to the scores. Undefined where every query sees every
   * key.
   */
  readonly seen: Tensor<"bool"> | undefined;
}

/** The cheaper form of the two; both give the same result. */
export function formOf(parts: Parts, p: AttentionParams): AttentionForm {
  const block = bandOf(parts, p);
  return block === undefined ? full(parts, p) : banded(parts, p, p.window as number, block);
}

/** Smallest block. Products of fewer rows would waste the tiles of a matmul kernel. */
const LEAST_BLOCK = 32;

/**
 * Queries in a block of the band, or undefined where the full form is better.
 *
 * A block as long as the window computes at least three pairs for each two pairs needed, with few copies of keys. A
 * band of at most 3/4 of all pairs pays for the copies and for the smaller products.
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

/** The `size` elements from `start` on along `axis`, padded with zeros where x has no elements. */
const cut = <T extends Tensor>(x: T, axis: number, start: number, size: number): T => {
  const length = x.shape[axis] as number;
  const from = Math.max(0, start);
  const to = Math.min(length, start + size);
  const kept = from === 0 && to === length ? x : x.slice(axis, from, to);
  const at = (n: number): number[] => x.shape.map((_, i) => (i === axis ? n : 0));
  return (from === start && to === start + size ? kept : kept.pad(at(from - start), at(start + size - to))) as T;
};

/** The band, by blocks of any size. */
export function banded({ q, extra }: Parts, { causal }: AttentionParams, window: number, block: number): AttentionForm {
  const { graph } = q;
  const [batch, heads, seq] = q.shape as [number, number, number, number];
  const blocks = Math.ceil(seq / block);
  const width = block + (causal ? 1 : 2) * window;
  // The columns of a block in pieces of the length of a block: [offset, length].
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
  // Picks the squares of block x block from the diagonal on. In rows that are one square longer, these squares stand
  // one below another.
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

  // Column c of row r stands for the key at r + (c - window - r), where c - window counts from the block's first query.
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
