/**
 * The WGSL that all attention kernels share: masks, the blocks that a kernel may skip, scores, dropout, and loads of 4
 * channels.
 *
 * WGSL names begin with `fa`. Indices: b batch, h head, i query, j key, c a 4-vector of channels. A workgroup owns a
 * block of one side (queries, or keys in flashGradKV) and walks the blocks of the other side.
 */
import { mayBeBlind, type AttentionSpec } from "./attention-spec.ts";

/** f(0), …, f(n - 1), one a line. */
export const each = (n: number, f: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => f(i)).join("\n");

/** The lowest finite f32, in WGSL. The running maximum begins with it. */
export const LOWEST = "-3.40282346e38";

/** A row whose log-sum-exp is below this bound sees no key. Its probabilities are all 1 / keys. */
const BLIND = "-1e29";

/** A WGSL literal of `x` as an f32. */
export const f32 = (x: number): string => {
  const text = `${Math.fround(x)}`;
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
};

const call = (s: AttentionSpec, name: string, ...index: readonly (string | number)[]): string =>
  `${s.load[name]?.name}(${index.join(", ")})`;

/**
 * `fn fa_NAME(b, h, i, c) -> vec4<f32 | f16>` for an operand NAME of shape [batch, heads, rows, headDim]. It loads the
 * channels 4c to 4c + 3 of row i; channels past headDim are 0.
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

/** A statement that stores the vec4<f32> expression `value` in channels 4c to 4c + 3 of a row of an output. */
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
 * `fn faSees`: does query i see key j? Its args are the two indices and the marks of each: `faRow` loads the marks of a
 * query, `faCol` those of a key. An index past the end of its side gives false.
 *
 * The code that is inlined for every pair has no branches; it uses `&` and `select`. With branches SwiftShader takes
 * minutes to compile a kernel.
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
  const visible = padding === undefined ? "1" : call(s, "marks", "b", `${padding}u + min(j, ${s.keys - 1}u)`);
  return `fn faRow(b: u32, i: u32) -> i32 { return ${id("i", s.queries)}; }
fn faCol(b: u32, j: u32) -> vec2<i32> { return vec2<i32>(${id("j", s.keys)}, ${visible}); }
fn faSees(i: u32, j: u32, row: i32, col: vec2<i32>) -> bool { return ${seen.join(" & ")}; }`;
}

/** `fn faScore`: the score after cap and bias, and the factor that turns its gradient into the gradient of q k^T. */
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
  // Beyond 15 tanh is 1 in f32, and some drivers overflow.
  const bent = cap === null ? undefined : `let t = tanh(clamp(x * ${f32(s.scale)} * ${f32(1 / cap)}, -15.0, 15.0));`;
  const plain = cap === null ? `x * ${f32(s.scale)}` : `t * ${f32(cap)}`;
  const slope = bent === undefined ? "" : " * (1.0 - t * t)";
  return `fn faScore(b: u32, h: u32, i: u32, j: u32, x: f32) -> vec2<f32> {
${bent ?? ""}
return vec2<f32>(${plain}${bias === undefined ? "" : ` + ${bias}`}, ${f32(s.scale)}${slope});
}`;
}

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/**
 * `fn faKeep`: the dropout factor of (b, h, i, j), which is 0 or 1 / (1 - rate). It computes the element of
 * `randomBits` at that index with threefry2x32, as @cloze/random does.
 */
function dropoutText(s: AttentionSpec): string {
  const half = Math.ceil((s.batch * s.heads * s.queries * s.keys) / 2);
  const threshold = Math.ceil(Math.fround(s.dropoutRate * 2 ** 24));
  const round = (n: number): string =>
    `x0 += x1; x1 = ((x1 << ${ROTATIONS[n % 8]}u) | (x1 >> ${32 - (ROTATIONS[n % 8] as number)}u)) ^ x0;`;
  const inject = (n: number): string => `x0 += k${n % 3}; x1 += k${(n + 1) % 3} + ${n}u;`;
  return `fn faKeep(key: vec2<u32>, b: u32, h: u32, i: u32, j: u32) -> f32 {
${
  s.rowKeys
    ? `let late = (j & 1u) == 1u;
let k0 = key.x ^ (${s.stream}); let k1 = key.y;
var x0 = (j >> 1u) + k0; var x1 = h + ${s.heads}u * i + k1;`
    : `let e = ((b * ${s.heads}u + h) * ${s.queries}u + i) * ${s.keys}u + j;
let late = e >= ${half}u;
let k0 = key.x; let k1 = key.y;
var x0 = select(e, e - ${half}u, late) + k0; var x1 = (${s.stream}) + k1;`
}
let k2 = k0 ^ k1 ^ 0x1bd11bdau;
${each(20, (n) => round(n) + (n % 4 === 3 ? inject((n + 1) / 4) : ""))}
return select(${f32(1 / (1 - s.dropoutRate))}, 0.0, (select(x0, x1, late) >> 8u) < ${threshold}u);
}`;
}

export const hasDropout = (s: AttentionSpec): boolean => s.dropoutRate > 0;

/** WGSL that multiplies by the dropout factor of a pair; empty without dropout. */
export const timesKept = (s: AttentionSpec, i: string, j: string): string =>
  hasDropout(s) ? ` * faKeep(key, b, h, ${i}, ${j})` : "";

/** A statement that loads the dropout key; empty without dropout. */
const keyText = (s: AttentionSpec): string =>
  hasDropout(s)
    ? `let key = vec2<u32>(bitcast<u32>(${call(s, "marks", "b", `${s.marks.key}u`)}), ` +
      `bitcast<u32>(${call(s, "marks", "b", `${(s.marks.key ?? 0) + 1}u`)}));`
    : "";

/** The first statements of a kernel: the batch and head of its workgroup, and the dropout key. */
export const openText = (s: AttentionSpec): string =>
  `let b = wg.y / ${s.heads}u; let h = wg.y % ${s.heads}u;\n${keyText(s)}`;

/**
 * A loop for the gradient of the bias. A workgroup works on block wg.x of queries and block wg.y of keys. Its wg.z
 * selects a batch and a head of the bias; the loop visits every batch and head that share this part of the bias.
 */
export function biasLoopText(s: AttentionSpec, walk: Walk, body: string): string {
  const { oneBatch, oneHead } = s.bias ?? { oneBatch: false, oneHead: false };
  const heads = oneHead ? 1 : s.heads;
  const [low, high] = rangeText(s, "queries", "r0", "r1");
  const visit = tested(s, walk)
    ? "if (lid == 0u) { faWord = select(0u, 1u, faVisit(b, h0, wg.x, wg.y)); }\n" +
      "if (workgroupUniformLoad(&faWord) == 0u) { continue; }"
    : "";
  const rows = `let r0 = wg.x * ${walk.own}u; let r1 = min(r0 + ${walk.own}u, ${s.queries}u);`;
  return `let b0 = wg.z / ${heads}u; let h0 = wg.z % ${heads}u; ${rows}
if (wg.y * ${walk.other}u < ${high} && (wg.y + 1u) * ${walk.other}u > ${low}) {
for (var b = ${oneBatch ? `0u; b < ${s.batch}u` : "b0; b <= b0"}; b++) {
${visit}
${keyText(s)}
for (var h = ${oneHead ? `0u; h < ${s.heads}u` : "h0; h <= h0"}; h++) {
${body}
} } }`;
}

/** A statement that stores one element of the gradient of the bias. */
export const biasStoreText = (s: AttentionSpec, i: string, j: string, value: string): string =>
  s.store[0] === undefined
    ? ""
    : `if (${i} < ${s.queries}u && ${j} < ${s.keys}u) { ${s.store[0].name}(b0, h0, ${i}, ${j}, ${value}); }`;

/**
 * `fn faGrad`: for one pair (i, j), the gradient of q k^T (with `ofBias`, the gradient of the score) and the weight of
 * v in the forward pass. p = exp(score - lse), ds = p * (dp * kept - delta).
 */
export function gradText(s: AttentionSpec, ofBias = false): string {
  const key = hasDropout(s) ? "key: vec2<u32>, " : "";
  const values = "x: f32, dp: f32, lse: f32, delta: f32";
  return `fn faGrad(${key}b: u32, h: u32, i: u32, j: u32, sees: bool, ${values}) -> vec2<f32> {
let s = faScore(b, h, i, j, x);
var p = select(0.0, exp(s.x - lse), sees);
${mayBeBlind(s) || s.bias ? `p = select(p, ${f32(1 / s.keys)}, lse < ${BLIND});` : ""}
let kept = 1.0${timesKept(s, "i", "j")};
return vec2<f32>(select(0.0, p * (dp * kept - delta)${ofBias ? "" : " * s.y"}, sees), p * kept);
}`;
}

/** `fn faStats`: log-sum-exp and delta of a query; zeros past the end. */
export function statsText(s: AttentionSpec): string {
  const of = (name: string): string => call(s, name, "b", "h", "n", "0u");
  return `fn faStats(b: u32, h: u32, i: u32) -> vec2<f32> {
let n = min(i, ${s.queries - 1}u);
return select(vec2<f32>(), vec2<f32>(${of("lse")}, ${of("delta")}), i < ${s.queries}u);
}`;
}

/**
 * The range of rows of the other side that rows [from, to) of the own side can meet, as first row and last row + 1.
 * Only `causal` and `window` narrow the range.
 */
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
  /** Rows of a block of the owned side and of the other side. */
  readonly own: number;
  readonly other: number;
}

/** Can the marks of a block show that the kernel may skip it? */
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
  // A query that sees no key weighs all values evenly, so every block of keys must visit it.
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

/** The shared functions that a kernel calls. */
export const maskText = (s: AttentionSpec, walk: Walk): string =>
  [seesText(s), scoreText(s), hasDropout(s) ? dropoutText(s) : "", visitText(s, walk)].join("\n");

/**
 * A loop over the blocks `t` of the other side that the own block `wg.x` must visit. 32 invocations test 32 blocks at
 * once, one block each. The loop therefore is uniform, and a run of skipped blocks costs almost nothing.
 */
export function loopText(s: AttentionSpec, walk: Walk, body: string): string {
  const { owns, own, other } = walk;
  const rows = owns === "queries" ? s.queries : s.keys;
  const [low, high] = rangeText(s, owns, "r0", "r1");
  const open =
    `let r0 = wg.x * ${own}u; let r1 = min(r0 + ${own}u, ${rows}u); let first = (${low}) / ${other}u; let last = ` +
    `(${high} + ${other - 1}u) / ${other}u;`;
  if (!tested(s, walk)) return `${open}\nfor (var t = first; t < last; t++) {\n${body}\n}`;
  const look = "if (t0 + lid < last) { yes = faVisit(b, h, wg.x, t0 + lid); }";
  return `${open}
for (var t0 = first; t0 < last; t0 += 32u) {
if (lid < 32u) { var yes = false; ${look} faFlags[lid] = select(0u, 1u, yes); }
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

/** The workgroup memory that `loopText` and `biasLoopText` use. */
export const LOOP_MEMORY = "var<workgroup> faFlags: array<u32, 32>;\nvar<workgroup> faWord: u32;";
