/** Every option of attention, with values from five nested loops. */
import { attention, randomBits, type AttentionOptions, type Graph, type Tensor } from "../src/index.ts";
import { threefry2x32 } from "@cloze/random";
import type { CompositeCase } from "./composite-cases.ts";
import { noise } from "./finite-differences.ts";

type T = Tensor<"f32">;

interface Mask {
  readonly scale?: number;
  readonly causal?: boolean;
  readonly window?: number;
  readonly softcap?: number;
  /** [batch, keys]. */
  readonly keyPadding?: readonly number[];
  /** [batch, seq]. */
  readonly segments?: readonly number[];
  /** Leading sizes of the bias; 1 where all rows share it. */
  readonly bias?: readonly [batch: number, heads: number];
  readonly dropout?: number;
  /** A dropout key for each row of the batch. */
  readonly rowKeys?: true;
}

const KEY = [17, 4] as const;
/** A key for each of two rows. */
const ROW_KEYS = [4_000_000_000, 1, 5, 3_000_000_001] as const;
const STREAM = 6;

/** The keys that a query sees. The probabilities are even over all keys where a query sees no key. */
function loops(
  [batch, heads, queries, keys, dim]: Size,
  env: Readonly<Record<string, readonly number[]>>,
  m: Mask,
): number[] {
  const at = (name: string, i: number): number => (env[name] as readonly number[])[i] as number;
  const scale = m.scale ?? 1 / Math.sqrt(dim);
  const out: number[] = [];
  const all = randomBits(KEY, STREAM, batch * heads * queries * keys, 24);
  // By row: word j % 2 of block (j / 2, h + heads i) under the key of row b, whose first word the stream turns.
  const bitsAt = (b: number, h: number, i: number, j: number): number =>
    m.rowKeys
      ? (threefry2x32(
          [((ROW_KEYS[2 * b] as number) ^ STREAM) >>> 0, ROW_KEYS[2 * b + 1] as number],
          [Math.floor(j / 2), h + heads * i],
        )[j % 2] as number) >>> 8
      : (all[((b * heads + h) * queries + i) * keys + j] as number);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < queries; i++) {
        const scores: number[] = [];
        for (let j = 0; j < keys; j++) {
          let s = 0;
          for (let d = 0; d < dim; d++)
            s += at("q", ((b * heads + h) * queries + i) * dim + d) * at("k", ((b * heads + h) * keys + j) * dim + d);
          s *= scale;
          if (m.softcap !== undefined) s = m.softcap * Math.tanh(s / m.softcap);
          if (m.bias)
            s += at(
              "bias",
              (((m.bias[0] === 1 ? 0 : b) * m.bias[1] + (m.bias[1] === 1 ? 0 : h)) * queries + i) * keys + j,
            );
          const hidden =
            (m.keyPadding && !at("padding", b * keys + j)) ||
            (m.segments && at("segments", b * keys + i) !== at("segments", b * keys + j)) ||
            (m.causal && j > i) ||
            (m.window !== undefined && Math.abs(i - j) > m.window);
          scores.push(hidden ? -Infinity : s);
        }
        const max = Math.max(...scores);
        const e = scores.map((s) => (max === -Infinity ? 1 : Math.exp(s - max)));
        const total = e.reduce((a, c) => a + c, 0);
        for (let d = 0; d < dim; d++) {
          out.push(
            e.reduce((sum, w, j) => {
              const kept =
                m.dropout === undefined ? 1 : bitsAt(b, h, i, j) < m.dropout * 2 ** 24 ? 0 : 1 / (1 - m.dropout);
              return sum + (w / total) * kept * at("v", ((b * heads + h) * keys + j) * dim + d);
            }, 0),
          );
        }
      }
  return out;
}

type Size = readonly [batch: number, heads: number, queries: number, keys: number, dim: number];

function attend(name: string, size: Size, m: Mask = {}): CompositeCase {
  const [batch, heads, queries, keys, dim] = size;
  const draw = (n: number, from: number): number[] => Array.from({ length: n }, (_, i) => 0.8 * noise(i + from));
  const env: Record<string, readonly number[]> = {
    q: draw(batch * heads * queries * dim, 0),
    k: draw(batch * heads * keys * dim, 100),
    v: draw(batch * heads * keys * dim, 200),
  };
  if (m.keyPadding) env["padding"] = m.keyPadding;
  if (m.segments) env["segments"] = m.segments;
  if (m.bias) env["bias"] = draw(m.bias[0] * m.bias[1] * queries * keys, 300);
  if (m.dropout !== undefined) env["key"] = m.rowKeys ? ROW_KEYS : KEY;
  const build = (g: Graph, r: (x: Tensor) => Tensor): Tensor => {
    const f = (n: string, shape: readonly number[]): T => r(g.input(n, "f32", shape)) as T;
    const options: AttentionOptions = {
      ...(m.scale === undefined ? {} : { scale: m.scale }),
      ...(m.causal === undefined ? {} : { causal: m.causal }),
      ...(m.window === undefined ? {} : { window: m.window }),
      ...(m.softcap === undefined ? {} : { softcap: m.softcap }),
      ...(m.keyPadding ? { keyPadding: g.input("padding", "bool", [batch, keys]) } : {}),
      ...(m.segments ? { segments: g.input("segments", "i32", [batch, queries]) } : {}),
      ...(m.bias ? { bias: f("bias", [...m.bias, queries, keys]) } : {}),
      ...(m.dropout === undefined
        ? {}
        : { dropout: { rate: m.dropout, stream: STREAM, key: g.input("key", "u32", m.rowKeys ? [2, 2] : [2]) } }),
    };
    return attention(
      f("q", [batch, heads, queries, dim]),
      f("k", [batch, heads, keys, dim]),
      f("v", [batch, heads, keys, dim]),
      options,
    );
  };
  // The loops read the f64 inputs, and the graph rounds them to f32. The difference is below this tolerance.
  return { name: `attention, ${name}`, build, env, want: loops(size, env, m) };
}

export const attentionCases: readonly CompositeCase[] = [
  attend("plain", [2, 2, 3, 3, 4]),
  attend("head dim 20", [1, 1, 2, 2, 20]),
  attend("head dim 24", [1, 1, 2, 3, 24]),
  attend("odd head dim", [1, 2, 3, 3, 5]),
  attend("head dim 1", [1, 1, 2, 2, 1]),
  attend("fewer queries than keys", [2, 1, 2, 4, 3]),
  attend("more queries than keys", [1, 2, 4, 2, 3]),
  attend("one key", [1, 1, 3, 1, 2]),
  attend("own scale", [1, 1, 3, 3, 2], { scale: 0.9 }),
  attend("causal", [1, 2, 4, 4, 2], { causal: true }),
  attend("causal, fewer queries", [1, 1, 2, 4, 2], { causal: true }),
  attend("window 1", [1, 1, 5, 5, 2], { window: 1 }),
  attend("window 0: itself alone", [1, 1, 3, 3, 2], { window: 0 }),
  attend("causal window", [1, 1, 5, 5, 2], { causal: true, window: 2 }),
  attend("softcap", [1, 2, 3, 3, 2], { softcap: 0.7 }),
  attend("key padding", [2, 1, 3, 3, 2], { keyPadding: [1, 1, 0, 0, 1, 0] }),
  attend("no key to see", [2, 1, 3, 3, 2], { keyPadding: [0, 0, 0, 1, 1, 1] }),
  attend("no key to see, with bias and softcap", [1, 1, 2, 2, 2], { keyPadding: [0, 0], bias: [1, 1], softcap: 1 }),
  attend("segments", [2, 1, 4, 4, 2], { segments: [0, 0, 1, 1, 3, 4, 4, 4] }),
  attend("bias", [2, 2, 2, 3, 2], { bias: [2, 2] }),
  attend("bias over batch", [2, 2, 2, 2, 2], { bias: [1, 2] }),
  attend("bias over heads", [2, 2, 2, 2, 2], { bias: [2, 1] }),
  attend("bias over both", [2, 2, 2, 2, 2], { bias: [1, 1] }),
  attend("bias with padding and segments before it", [2, 1, 3, 3, 2], {
    bias: [1, 1],
    keyPadding: [1, 1, 0, 1, 1, 1],
    segments: [0, 0, 0, 0, 1, 1],
  }),
  attend("dropout", [2, 1, 3, 3, 2], { dropout: 0.3 }),
  attend("dropout by row", [2, 3, 4, 5, 2], { dropout: 0.3, rowKeys: true }),
  attend("dropout by row, in a band", [2, 1, 70, 70, 1], { dropout: 0.3, rowKeys: true, window: 3 }),
  attend("everything", [2, 2, 4, 4, 3], {
    scale: 0.6,
    causal: true,
    window: 2,
    softcap: 2,
    keyPadding: [1, 1, 1, 0, 1, 1, 1, 1],
    segments: [0, 0, 1, 1, 0, 0, 0, 1],
    bias: [1, 2],
    dropout: 0.2,
  }),
];
