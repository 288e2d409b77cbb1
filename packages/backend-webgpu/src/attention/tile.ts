/**
 * Attention kernels over tiles in workgroup memory: FlashAttention-2 (arXiv:2307.08691, algorithms 1 and 2).
 *
 * A workgroup owns a block of rows of one side and walks the blocks of the other side. Sums stay in registers. TX is
 * the number of invocations along the other rows. Invocation (ty, tx) holds the scores of the own rows ty * mr + a with
 * the other rows tx + TX * c. Of the result it holds the same own rows and the 4-vectors tx + TX * n.
 *
 * The forward kernel has four barriers a block. A pair of rows costs 2 headDim multiply-adds forward, 3 headDim for dq,
 * and 4 headDim for dk and dv.
 */
import { mayBeBlind, type AttentionSpec } from "./attention-spec.ts";
import {
  biasLoopText,
  biasStoreText,
  each,
  gradText,
  hasDropout,
  loadText,
  loopText,
  LOOP_MEMORY,
  LOWEST,
  maskText,
  openText,
  statsText,
  storeText,
  timesKept,
  type Walk,
} from "./mask.ts";
import { pitch, vectors, type Tile } from "./tiles.ts";

export interface Frame extends Walk {
  readonly s: AttentionSpec;
  readonly tx: number;
  readonly ty: number;
  readonly unroll: boolean;
  /** Own rows, other rows and 4-vectors of a result that one invocation holds. */
  readonly mr: number;
  readonly mc: number;
  readonly mn: number;
}

export const frameOf = (s: AttentionSpec, { own, other, tx, ty, unroll }: Tile, owns: Walk["owns"]): Frame => ({
  s,
  owns,
  own,
  other,
  tx,
  ty,
  unroll,
  mr: own / ty,
  mc: other / tx,
  mn: Math.ceil(vectors(s.headDim) / tx),
});

export const pairs = ({ mr, mc }: Frame, f: (a: number, c: number) => string): string =>
  each(mr, (a) => each(mc, (c) => f(a, c)));

/** `fn faStage_NAME(lid, b, h, i0)`: copies a block of an operand to workgroup memory; zeros past its end. */
function stage(f: Frame, name: string, array: string, rows: number, count: number): string {
  const n = vectors(f.s.headDim);
  return `fn faStage_${name}(lid: u32, b: u32, h: u32, i0: u32) {
for (var x = lid; x < ${rows * n}u; x += ${f.tx * f.ty}u) {
let i = x / ${n}u; let c = x % ${n}u;
var y = vec4<${f.s.element}>();
if (i0 + i < ${count}u) { y = fa_${name}(b, h, i0 + i, c); }
${array}[i * ${pitch(f.s.headDim)}u + c] = y;
}
}`;
}

/** Declarations of workgroup memory: an array for each staged block (name, rows), the weights faW, and the loop's. */
const memory = ({ s, own, other }: Frame, arrays: readonly (readonly [string, number])[]): string =>
  `${arrays
    .map(([name, rows]) => `var<workgroup> ${name}: array<vec4<${s.element}>, ${rows * pitch(s.headDim)}>;`)
    .join("\n")}
var<workgroup> faW: array<f32, ${own * (other + 1)}>;
${LOOP_MEMORY}`;

/** The end of a loop over n. Without `unroll` it is an expression of value n that compilers cannot compute. */
const bound = (f: Frame, n: number): string => (f.unroll ? `${n}u` : `${n}u + lid / ${f.tx * f.ty}u`);

/** sum[a][c] = own row a . other row c, for each triple of names. One loop over the channels computes all triples. */
const products = (
  f: Frame,
  sums: readonly (readonly [sum: string, own: string, other: string])[],
): string => `${sums.map(([sum]) => pairs(f, (a, c) => `var ${sum}${a}_${c} = 0.0;`)).join("\n")}
for (var d = 0u; d < ${bound(f, vectors(f.s.headDim))}; d++) {
${sums
  .map(
    (
      [sum, own, other],
      n,
    ) => `${each(f.mr, (a) => `let a${n}_${a} = vec4<f32>(${own}[(base + ${a}u) * ${pitch(f.s.headDim)}u + d]);`)}
${each(f.mc, (c) => `let b${n}_${c} = vec4<f32>(${other}[(tx + ${f.tx * c}u) * ${pitch(f.s.headDim)}u + d]);`)}
${pairs(f, (a, c) => `${sum}${a}_${c} += dot(a${n}_${a}, b${n}_${c});`)}`,
  )
  .join("\n")}
}`;

/** result[a][n] += sum over other rows j of faW[row a][j] * array[j]. */
const accumulate = (
  f: Frame,
  result: string,
  array: string,
): string => `for (var j = 0u; j < ${bound(f, f.other)}; j++) {
${each(f.mr, (a) => `let w${a} = faW[(base + ${a}u) * ${f.other + 1}u + j];`)}
${each(
  f.mn,
  (n) =>
    `let y${n} = vec4<f32>(${array}[j * ${pitch(f.s.headDim)}u + ` +
    `c${n}]);\n${each(f.mr, (a) => `${result}${a}_${n} += w${a} * y${n};`)}`,
)}
}`;

const putWeight = (f: Frame, a: number, c: number, value: string): string =>
  `faW[(base + ${a}u) * ${f.other + 1}u + tx + ${f.tx * c}u] = ${value};`;

const ARGUMENTS = "@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32";

/**
 * The whole kernel text around `body`. The variables c0, c1, … are the indices of the 4-vectors of a result that this
 * invocation holds, clamped to the head.
 */
export const kernel = (
  f: Frame,
  text: string,
  open: string,
  body: string,
  attributes = "",
): string => `${maskText(f.s, f)}
${text}
${attributes}@compute @workgroup_size(${f.tx * f.ty}) fn main(${ARGUMENTS}) {
${open}
let tx = lid % ${f.tx}u; let base = lid / ${f.tx}u * ${f.mr}u; let i0 = wg.x * ${f.own}u;
${each(f.mn, (n) => `let c${n} = min(tx + ${f.tx * n}u, ${vectors(f.s.headDim) - 1}u);`)}
${body}
}`;

const results = (f: Frame, name: string): string =>
  each(f.mr, (a) => each(f.mn, (n) => `var ${name}${a}_${n} = vec4<f32>();`));

/** Stores the vec4 expressions `value(a, n)` in an output. It skips rows and 4-vectors past the end. */
const store = (f: Frame, output: number, rows: number, value: (a: number, n: number) => string): string =>
  each(
    f.mr,
    (a) => `if (i0 + base + ${a}u < ${rows}u) {
${each(
  f.mn,
  (n) =>
    `if (tx + ${f.tx * n}u < ${vectors(f.s.headDim)}u) { ` +
    `${storeText(f.s, output, `i0 + base + ${a}u`, `c${n}`, value(a, n))} }`,
)}
}`,
  );

export function tileForward(s: AttentionSpec, tile: Tile): string {
  const f = frameOf(s, tile, "queries");
  const { mr, mc, mn, tx, own, other } = f;
  const i = (a: number): string => `i0 + base + ${a}u`;
  const j = (c: number): string => `j0 + tx + ${tx * c}u`;
  const kept = (a: number, c: number): string => (hasDropout(s) ? timesKept(s, i(a), j(c)) : "");
  const loop = loopText(
    s,
    f,
    `let j0 = t * ${other}u;
faStage_k(lid, b, h, j0);
workgroupBarrier();
${products(f, [["s", "faA", "faB"]])}
${each(mc, (c) => `let col${c} = faCol(b, ${j(c)});`)}
${pairs(
  f,
  (a, c) =>
    `let v${a}_${c} = faSees(${i(a)}, ${j(c)}, mark${a}, col${c}); s${a}_${c} = select(${LOWEST}, faScore(b, h, ` +
    `${i(a)}, ${j(c)}, s${a}_${c}).x, v${a}_${c});`,
)}
${each(
  mr,
  (a) =>
    `faTop[(base + ${a}u) * ${tx}u + tx] = ` +
    `${Array.from({ length: mc }, (_, c) => `s${a}_${c}`).reduce((x, y) => `max(${x}, ${y})`)};`,
)}
workgroupBarrier();
faStage_v(lid, b, h, j0);
${each(
  mr,
  (a) => `var top${a} = m${a};
for (var x = 0u; x < ${tx}u; x++) { top${a} = max(top${a}, faTop[(base + ${a}u) * ${tx}u + x]); }
let fade${a} = exp(m${a} - top${a}); m${a} = top${a}; l${a} *= fade${a};
${each(mn, (n) => `o${a}_${n} *= fade${a};`)}
${each(
  mc,
  (c) =>
    `let p${a}_${c} = select(0.0, exp(s${a}_${c} - m${a}), v${a}_${c}); l${a} += p${a}_${c}; ` +
    `${putWeight(f, a, c, `p${a}_${c}${kept(a, c)}`)}`,
)}`,
)}
workgroupBarrier();
${accumulate(f, "o", "faB")}
workgroupBarrier();`,
  );
  // A row that sees no key weighs all values evenly. A second walk computes this, only in blocks that have such a row.
  const overRows = `(var x = 0u; x < min(${own}u, ${s.queries}u - i0); x++)`;
  const even = `if (lid == 0u) { var w = 0u; for ${overRows} { if (faTop[x * ${tx}u] == 0.0) { w = 1u; } } faWord = w; }
if (workgroupUniformLoad(&faWord) != 0u) {
for (var j0 = 0u; j0 < ${s.keys}u; j0 += ${other}u) {
faStage_v(lid, b, h, j0);
${pairs(f, (a, c) => putWeight(f, a, c, `select(0.0, 1.0, (l${a} == 0.0) & (${j(c)} < ${s.keys}u))${kept(a, c)}`))}
workgroupBarrier();
${accumulate(f, "o", "faB")}
workgroupBarrier();
}
${each(mr, (a) => `if (l${a} == 0.0) { l${a} = ${s.keys}.0; m${a} = -1e30; }`)}
}`;
  const text = `${memory(f, [
    ["faA", own],
    ["faB", other],
  ])}
var<workgroup> faTop: array<f32, ${own * tx}>;
${["q", "k", "v"].map((name) => loadText(s, name)).join("\n")}
${stage(f, "q", "faA", own, s.queries)}
${stage(f, "k", "faB", other, s.keys)}
${stage(f, "v", "faB", other, s.keys)}`;
  return kernel(
    f,
    text,
    openText(s),
    `faStage_q(lid, b, h, i0);
${each(mr, (a) => `let mark${a} = faRow(b, ${i(a)}); var m${a} = ${LOWEST}; var l${a} = 0.0;`)}
${results(f, "o")}
${loop}
${each(mr, (a) => `faTop[(base + ${a}u) * ${tx}u + tx] = l${a};`)}
workgroupBarrier();
${each(mr, (a) => `l${a} = 0.0; for (var x = 0u; x < ${tx}u; x++) { l${a} += faTop[(base + ${a}u) * ${tx}u + x]; }`)}
${
  mayBeBlind(s)
    ? `workgroupBarrier();\n${each(
        mr,
        (a) => `if (tx == 0u) { faTop[(base + ${a}u) * ${tx}u] = l${a}; }`,
      )}\nworkgroupBarrier();\n${even}`
    : ""
}
${store(f, 0, s.queries, (a, n) => `o${a}_${n} / l${a}`)}
${
  s.store[1]
    ? each(
        mr,
        (a) =>
          `if (tx == 0u && ${i(a)} < ${s.queries}u) { ${s.store[1]?.name}(b, h, ${i(a)}, 0u, m${a} + log(l${a})); }`,
      )
    : ""
}`,
  );
}

/** The names of the four operands of a gradient: two of the own side, then two of the other side. */
export const sidesOf = (owns: Walk["owns"]): readonly [string, string, string, string] =>
  owns === "queries" ? ["q", "dout", "k", "v"] : ["k", "v", "q", "dout"];

/** Statements that load the marks of the own rows, and their statistics where they are queries. */
export function rowMarks({ mr, owns }: Frame): string {
  const i = (a: number): string => `i0 + base + ${a}u`;
  return each(mr, (a) =>
    owns === "queries"
      ? `let row${a} = faRow(b, ${i(a)}); let stats${a} = faStats(b, h, ${i(a)});`
      : `let col${a} = faCol(b, ${i(a)});`,
  );
}
/** Statements that load the marks of the other rows of a block, and their statistics where they are queries. */
export function otherMarks({ mc, tx, owns }: Frame): string {
  const j = (c: number): string => `j0 + tx + ${tx * c}u`;
  return each(mc, (c) =>
    owns === "queries"
      ? `let col${c} = faCol(b, ${j(c)});`
      : `let row${c} = faRow(b, ${j(c)}); let stats${c} = faStats(b, h, ${j(c)});`,
  );
}

/** The call of `faGrad` for own row a and other row c. Its products are in the variables x and d of the pair. */
export function gradCall({ s, owns, tx }: Frame, a: number, c: number): string {
  const own = `i0 + base + ${a}u`;
  const other = `j0 + tx + ${tx * c}u`;
  const [i, j, row, col, stats] =
    owns === "queries"
      ? [own, other, `row${a}`, `col${c}`, `stats${a}`]
      : [other, own, `row${c}`, `col${a}`, `stats${c}`];
  return (
    `faGrad(${hasDropout(s) ? "key, " : ""}b, h, ${i}, ${j}, faSees(${i}, ${j}, ${row}, ${col}), x${a}_${c}, ` +
    `d${a}_${c}, ${stats}.x, ${stats}.y)`
  );
}

/** The products x = q k^T and d = dout v^T of a pair of blocks. */
const gradProducts = (f: Frame): string =>
  products(f, [
    ["x", "faA", "faC"],
    ["d", "faB", "faD"],
  ]);

const gradMemory = (f: Frame, sides: readonly [string, string, string, string], ofBias: boolean): string => {
  const count = (name: string): number => (name === "q" || name === "dout" ? f.s.queries : f.s.keys);
  const rows = [f.own, f.own, f.other, f.other] as const;
  return `${memory(f, [
    ["faA", f.own],
    ["faB", f.own],
    ["faC", f.other],
    ["faD", f.other],
  ])}
${statsText(f.s)}
${gradText(f.s, ofBias)}
${sides
  .map((name, n) => `${loadText(f.s, name)}\n${stage(f, name, `fa${"ABCD"[n]}`, rows[n] as number, count(name))}`)
  .join("\n")}`;
};

/** The kernel of flashGradQ, or of flashGradKV where `owns` is "keys". */
export function tileGrad(s: AttentionSpec, tile: Tile, owns: Walk["owns"]): string {
  const f = frameOf(s, tile, owns);
  const queries = owns === "queries";
  const sides = sidesOf(owns);
  const count = queries ? s.queries : s.keys;
  const loop = loopText(
    s,
    f,
    `let j0 = t * ${f.other}u;
faStage_${sides[2]}(lid, b, h, j0); faStage_${sides[3]}(lid, b, h, j0);
workgroupBarrier();
${gradProducts(f)}
${otherMarks(f)}
${pairs(f, (a, c) => `let g${a}_${c} = ${gradCall(f, a, c)}; ${putWeight(f, a, c, `g${a}_${c}.x`)}`)}
workgroupBarrier();
${accumulate(f, "o", "faC")}
workgroupBarrier();
${
  queries
    ? ""
    : `${pairs(f, (a, c) => putWeight(f, a, c, `g${a}_${c}.y`))}
workgroupBarrier();
${accumulate(f, "u", "faD")}
workgroupBarrier();`
}`,
  );
  return kernel(
    f,
    gradMemory(f, sides, false),
    openText(s),
    `faStage_${sides[0]}(lid, b, h, i0); faStage_${sides[1]}(lid, b, h, i0);
${rowMarks(f)}
${results(f, "o")}
${queries ? "" : results(f, "u")}
${loop}
${store(f, 0, count, (a, n) => `o${a}_${n}`)}
${queries ? "" : store(f, 1, count, (a, n) => `u${a}_${n}`)}`,
  );
}

/** The kernel of flashGradBias. A workgroup owns a block of queries and a block of keys. */
export function tileGradBias(s: AttentionSpec, tile: Tile): string {
  const f = frameOf(s, tile, "queries");
  const sides = sidesOf("queries");
  return kernel(
    f,
    gradMemory(f, sides, true),
    "",
    `let j0 = wg.y * ${f.other}u;
${pairs(f, (a, c) => `var sum${a}_${c} = 0.0;`)}
${biasLoopText(
  s,
  f,
  `${sides.map((name, n) => `faStage_${name}(lid, b, h, ${n < 2 ? "i0" : "j0"});`).join(" ")}
workgroupBarrier();
${rowMarks(f)}
${gradProducts(f)}
${otherMarks(f)}
${pairs(f, (a, c) => `sum${a}_${c} += ${gradCall(f, a, c)}.x;`)}
workgroupBarrier();`,
)}
${pairs(f, (a, c) => biasStoreText(s, `i0 + base + ${a}u`, `j0 + tx + ${f.tx * c}u`, `sum${a}_${c}`))}`,
  );
}
