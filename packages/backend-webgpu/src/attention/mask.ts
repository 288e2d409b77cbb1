/**
 * WGSL that all attention kernels share: who sees whom, which blocks may be skipped, scores, dropout, loads of 4
 * channels.
 *
 * Names begin with `fa`. Indices: b batch, h head, i query, j key, c a 4-vector of channels. A kernel owns blocks of
 * one side (queries, or keys in flashGradKV) and walks blocks of the other.
 */
import { mayBeBlind, type AttentionSpec } from "./attention-spec.ts";

/** f(0), …, f(n - 1), a line each. */
export const each = (n: number, f: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => f(i)).join("\n");

/** Lowest f32: what the running maximum begins with. */
export const LOWEST = "-3.40282346e38";

/** A log-sum-exp below this is of a row that sees nothing: its probabilities are 1 / keys. */
const BLIND = "-1e29";

export const f32 = (x: number): string => {
  const text = `${Math.fround(x)}`;
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
};

const call = (s: AttentionSpec, name: string, ...index: readonly (string | number)[]): string =>
  `${s.load[name]?.name}(${index.join(", ")})`;

/**
 * `fn faQ(b, h, row, c) -> vec4<f32 | f16>` for an operand [batch, heads, rows, headDim]; zeros past the head's end.
 */
export function loadText(s: AttentionSpec, name: string): string {
  const loader = s.load[name];
  const rest = s.headDim % 4;
  const at = (d: number): string => call(s, name, "b", "h", "i", d === 0 ? "d" : `d + ${d}u`);
  const four = (n: number): string =>
    `vec4<${s.element}>(${[0, 1, 2, 3].map((d) => (d < n ? at(d) : "0.0")).join(", ")})`;
  const whole = rest === 0 && loader?.vec4 !== undefined ? `${loader.vec4}(b, h, i, d)` : four(4);
  return `fn fa_${name}(b: u32, h: u32, i: u32, c: u32) -> vec4<${s.element}> {
let d = 4u * c;
${rest === 0 ? "" : `if (c == ${Math.floor(s.headDim / 4)}u) { return ${four(rest)}; }`}
return ${whole};
}`;
}

/** A statement that stores the vec4<f32> expression `value` as channels 4c to 4c + 3 of an output's row. */
export function storeText(s: AttentionSpec, output: number, row: string, c: string, value: string): string {
  const storer = s.store[output];
  const rest = s.headDim % 4;
  if (storer === undefined) return "";
  if (rest === 0 && storer.vec4 !== undefined) return `${storer.vec4}(b, h, ${row}, 4u * ${c}, ${value});`;
  const put = (d: number): string => `${storer.name}(b, h, ${row}, 4u * ${c} + ${d}u, x[${d}]);`;
  return (
    `{ let x = ${value}; ` +
    `${each(4, (d) => (rest > 0 && d >= rest ? `if (${c} < ${Math.floor(s.headDim / 4)}u) { ${put(d)} }` : put(d)))} ` +
    "}"
  );
}

/**
 * Does a query see a key: pairs of indices inside both sides, with what `faRow` and `faCol` say of them.
 * No branches (`&`, `select`) in what is inlined once a pair: with them SwiftShader compiles a kernel for minutes.
 */
function seesText(s: AttentionSpec): string {
  const { segments, padding } = s.marks;
  const seen = [`(i < ${s.queries}u)`, `(j < ${s.keys}u)`];
  if (s.causal) seen.push("(j <= i)");
  if (s.window !== null) seen.push(`(max(i, j) - min(i, j) <= ${s.window}u)`);
  if (segments !== undefined) seen.push("(row == col.x)");
  if (padding !== undefined) seen.push("(col.y != 0)");
  const id = (row: string, rows: number): string =>
    segments === undefined ? "0" : call(s, "marks", "b", `${segments}u + min(${row}, ${rows - 1}u)`);
  return `fn faRow(b: u32, i: u32) -> i32 { return ${id("i", s.queries)}; }
fn faCol(b: u32, j: u32) -> vec2<i32> { return vec2<i32>(${id("j", s.keys)}, ${padding === undefined ? "1" : call(s, "marks", "b", `${padding}u + min(j, ${s.keys - 1}u)`)}); }
fn faSees(i: u32, j: u32, row: i32, col: vec2<i32>) -> bool { return ${seen.join(" & ")}; }`;
}

/** Score after cap and bias, and the factor from its gradient to that of q k^T. */
function scoreText(s: AttentionSpec): string {
  const bias =
    s.bias &&
    call(
      s,
      "bias",
      s.bias.oneBatch ? "0u" : "b",
      s.bias.oneHead ? "0u" : "h",
      `min(i, ${s.queries - 1}u)`,
      `min(j, ${s.keys - 1}u)`,
    );
  const cap = s.softcap;
  // Past 15 tanh is 1 in f32, and some drivers overflow.
  const bent = cap === null ? undefined : `let t = tanh(clamp(x * ${f32(s.scale)} * ${f32(1 / cap)}, -15.0, 15.0));`;
  const plain = cap === null ? `x * ${f32(s.scale)}` : `t * ${f32(cap)}`;
  return `fn faScore(b: u32, h: u32, i: u32, j: u32, x: f32) -> vec2<f32> {
${bent ?? ""}
return vec2<f32>(${plain}${bias === undefined ? "" : ` + ${bias}`}, ${f32(s.scale)}${bent === undefined ? "" : " * (1.0 - t * t)"});
}`;
}

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** threefry2x32 of @cloze/random, and the element of `randomBits` that belongs to (b, h, i, j): 0 or 1 / (1 - rate). */
function dropoutText(s: AttentionSpec): string {
  const count = s.batch * s.heads * s.queries * s.keys;
  const half = Math.ceil(count / 2);
  const threshold = Math.ceil(Math.fround(s.dropoutRate * 2 ** 24));
  const round = (n: number): string =>
    `x0 += x1; x1 = ((x1 << ${ROTATIONS[n % 8]}u) | (x1 >> ${32 - (ROTATIONS[n % 8] as number)}u)) ^ x0;`;
  const inject = (n: number): string => `x0 += k${n % 3}; x1 += k${(n + 1) % 3} + ${n}u;`;
  return `fn faKeep(key: vec2<u32>, b: u32, h: u32, i: u32, j: u32) -> f32 {
let e = ((b * ${s.heads}u + h) * ${s.queries}u + i) * ${s.keys}u + j;
let late = e >= ${half}u;
let k0 = key.x; let k1 = key.y; let k2 = k0 ^ k1 ^ 0x1bd11bdau;
var x0 = select(e, e - ${half}u, late) + k0; var x1 = (${s.stream}) + k1;
${each(20, (n) => round(n) + (n % 4 === 3 ? inject((n + 1) / 4) : ""))}
return select(${f32(1 / (1 - s.dropoutRate))}, 0.0, (select(x0, x1, late) >> 8u) < ${threshold}u);
}`;
}

export const hasDropout = (s: AttentionSpec): boolean => s.dropoutRate > 0;

/** `* kept` of a pair, nothing without dropout. */
export const timesKept = (s: AttentionSpec, i: string, j: string): string =>
  hasDropout(s) ? ` * faKeep(key, b, h, ${i}, ${j})` : "";

/** The dropout key, where there is one. */
const keyText = (s: AttentionSpec): string =>
  hasDropout(s)
    ? `let key = vec2<u32>(bitcast<u32>(${call(s, "marks", "b", `${s.marks.key}u`)}), ` +
      `bitcast<u32>(${call(s, "marks", "b", `${(s.marks.key ?? 0) + 1}u`)}));`
    : "";

/** Statements that open a kernel: where its workgroup works. */
export const openText = (s: AttentionSpec): string =>
  `let b = wg.y / ${s.heads}u; let h = wg.y % ${s.heads}u;\n${keyText(s)}`;

/**
 * Loops over the batches and heads that share the element of the bias that wg.z stands for, where blocks wg.x of
 * queries and wg.y of keys meet.
 */
export function biasLoopText(s: AttentionSpec, walk: Walk, body: string): string {
  const { oneBatch, oneHead } = s.bias ?? { oneBatch: false, oneHead: false };
  const heads = oneHead ? 1 : s.heads;
  const [low, high] = rangeText(s, "queries", "r0", "r1");
  const visit = tested(s, walk)
    ? "if (lid == 0u) { faWord = select(0u, 1u, faVisit(b, h0, wg.x, wg.y)); }\nif (workgroupUniformLoad(&faWord) == 0u) { continue; }"
    : "";
  return `let b0 = wg.z / ${heads}u; let h0 = wg.z % ${heads}u; let r0 = wg.x * ${walk.own}u; let r1 = min(r0 + ${walk.own}u, ${s.queries}u);
if (wg.y * ${walk.other}u < ${high} && (wg.y + 1u) * ${walk.other}u > ${low}) {
for (var b = ${oneBatch ? `0u; b < ${s.batch}u` : "b0; b <= b0"}; b++) {
${visit}
${keyText(s)}
for (var h = ${oneHead ? `0u; h < ${s.heads}u` : "h0; h <= h0"}; h++) {
${body}
} } }`;
}

/** Statement that stores an element of the gradient of the bias. */
export const biasStoreText = (s: AttentionSpec, i: string, j: string, value: string): string =>
  s.store[0] === undefined
    ? ""
    : `if (${i} < ${s.queries}u && ${j} < ${s.keys}u) { ${s.store[0].name}(b0, h0, ${i}, ${j}, ${value}); }`;

/**
 * Of one pair (i, j): gradient of q k^T (of the score, for the bias), and the weight that v had.
 * p = exp(score - lse), ds = p * (dp * kept - delta).
 */
export function gradText(s: AttentionSpec, ofBias = false): string {
  return `fn faGrad(${hasDropout(s) ? "key: vec2<u32>, " : ""}b: u32, h: u32, i: u32, j: u32, sees: bool, x: f32, dp: f32, lse: f32, delta: f32) -> vec2<f32> {
let s = faScore(b, h, i, j, x);
var p = select(0.0, exp(s.x - lse), sees);
${mayBeBlind(s) || s.bias ? `p = select(p, ${f32(1 / s.keys)}, lse < ${BLIND});` : ""}
let kept = 1.0${timesKept(s, "i", "j")};
return vec2<f32>(select(0.0, p * (dp * kept - delta)${ofBias ? "" : " * s.y"}, sees), p * kept);
}`;
}

/** Log-sum-exp and delta of a query: zeros past the end. */
export const statsText = (s: AttentionSpec): string => `fn faStats(b: u32, h: u32, i: u32) -> vec2<f32> {
let n = min(i, ${s.queries - 1}u);
return select(vec2<f32>(), vec2<f32>(${call(s, "lse", "b", "h", "n", "0u")}, ${call(s, "delta", "b", "h", "n", "0u")}), i < ${s.queries}u);
}`;

/** First and last + 1 of the others that rows [from, to) may see or be seen by, as far as causal and window tell. */
function rangeText(s: AttentionSpec, owns: "queries" | "keys", from: string, to: string): readonly [string, string] {
  const count = owns === "queries" ? s.keys : s.queries;
  const w = s.window;
  if (owns === "keys" && mayBeBlind(s)) return ["0u", `${count}u`];
  const low = [w === null ? "0u" : `${from} - min(${from}, ${w}u)`, ...(s.causal && owns === "keys" ? [from] : [])];
  const high = [`${count}u`, ...(w === null ? [] : [`${to} + ${w}u`]), ...(s.causal && owns === "queries" ? [to] : [])];
  return [low.reduce((a, b) => `max(${a}, ${b})`), high.reduce((a, b) => `min(${a}, ${b})`)];
}

export interface Walk {
  readonly owns: "queries" | "keys";
  /** Rows of the blocks of either side. */
  readonly own: number;
  readonly other: number;
}

/** Can a block be ruled out by a look at its marks? */
const tested = (s: AttentionSpec, { owns }: Walk): boolean =>
  s.marks.keyLeast !== undefined || (owns === "keys" && mayBeBlind(s));

/** `fn faVisit(b, h, own, other) -> bool`: must a pair of blocks be visited? */
function visitText(s: AttentionSpec, walk: Walk): string {
  if (!tested(s, walk)) return "";
  const { owns, own, other } = walk;
  const m = s.marks;
  const [q, k] = owns === "queries" ? ["a", "t"] : ["t", "a"];
  const at = (from: number, t: string): string => call(s, "marks", "b", `${from}u + ${t}`);
  const conditions: string[] = [];
  if (m.keyLeast !== undefined && m.keyMost !== undefined) {
    const [least, most] = m.queryLeast === undefined ? ["0", "0"] : [at(m.queryLeast, q), at(m.queryMost ?? 0, q)];
    conditions.push(`(${at(m.keyLeast, k)} <= ${most})`, `(${at(m.keyMost, k)} >= ${least})`);
  }
  if (owns === "queries" || !mayBeBlind(s))
    return `fn faVisit(b: u32, h: u32, a: u32, t: u32) -> bool { return ${conditions.join(" & ")}; }`;
  // A query that sees nothing weighs all values evenly: it reaches every block of keys.
  if (s.causal) conditions.push(`(${own}u * a < ${other}u * (t + 1u))`);
  if (s.window !== null)
    conditions.push(
      `(${other}u * t < ${own}u * (a + 1u) + ${s.window}u)`,
      `(${own}u * a < ${other}u * (t + 1u) + ${s.window}u)`,
    );
  return `fn faVisit(b: u32, h: u32, a: u32, t: u32) -> bool {
if (${conditions.join(" & ")}) { return true; }
let end = min(${s.queries}u, ${other}u * (t + 1u));
for (var i = ${other}u * t; i < end; i++) { if (${call(s, "lse", "b", "h", "i", "0u")} < ${BLIND}) { return true; } }
return false;
}`;
}

/** Functions a kernel needs besides its own. */
export const maskText = (s: AttentionSpec, walk: Walk): string =>
  [seesText(s), scoreText(s), hasDropout(s) ? dropoutText(s) : "", visitText(s, walk)].join("\n");

/**
 * A loop over the blocks `t` of the other side that the block `wg.x` must visit.
 * 32 blocks are looked at together, each by one invocation: the loop is uniform, and a run of blocks that are ruled out
 * costs next to nothing.
 */
export function loopText(s: AttentionSpec, walk: Walk, body: string): string {
  const { owns, own, other } = walk;
  const rows = owns === "queries" ? s.queries : s.keys;
  const [low, high] = rangeText(s, owns, "r0", "r1");
  const open =
    `let r0 = wg.x * ${own}u; let r1 = min(r0 + ${own}u, ${rows}u); let first = (${low}) / ${other}u; let last = ` +
    `(${high} + ${other - 1}u) / ${other}u;`;
  if (!tested(s, walk)) return `${open}\nfor (var t = first; t < last; t++) {\n${body}\n}`;
  return `${open}
for (var t0 = first; t0 < last; t0 += 32u) {
if (lid < 32u) { var yes = false; if (t0 + lid < last) { yes = faVisit(b, h, wg.x, t0 + lid); } faFlags[lid] = select(0u, 1u, yes); }
workgroupBarrier();
if (lid == 0u) { var w = 0u; for (var n = 0u; n < 32u; n++) { w |= faFlags[n] << n; } faWord = w; }
var todo = workgroupUniformLoad(&faWord);
while (todo != 0u) {
let t = t0 + firstTrailingBit(todo);
todo &= todo - 1u;
${body}
}
}`;
}

/** Workgroup memory of `loopText` and `biasLoopText`. */
export const LOOP_MEMORY = "var<workgroup> faFlags: array<u32, 32>;\nvar<workgroup> faWord: u32;";
