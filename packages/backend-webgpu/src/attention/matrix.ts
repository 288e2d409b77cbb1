/**
 * Attention kernels on the matrix units of a device (Dawn's experimental `chromium_experimental_subgroup_matrix`), with
 * f16 operands and f32 sums.
 *
 * The algorithm is that of `tile.ts`, with one difference: a subgroup multiplies whole matrices of its own `m` rows.
 * The products go through workgroup memory, from which each invocation reads its single scores. Weights and gradients
 * of scores are rounded to f16, as in the composites.
 *
 * In the forward pass the product of a block with v goes through the same workgroup memory, because each row of the
 * running sum needs its own factor. The sums of the gradients stay in matrices. Zeros fill a head up to whole matrices.
 *
 * These kernels have not run on real matrix units. Dawn's null backend accepts the text, and a test checks the values
 * with emulated matrices (`emulate-matrices.ts`).
 */
import { mayBeBlind, type AttentionSpec } from "./attention-spec.ts";
import {
  each,
  gradText,
  hasDropout,
  loadText,
  loopText,
  LOOP_MEMORY,
  LOWEST,
  openText,
  statsText,
  storeText,
  timesKept,
  type Walk,
} from "./mask.ts";
import { frameOf, gradCall, kernel, otherMarks, pairs, rowMarks, sidesOf, type Frame } from "./tile.ts";
import { matrixHead, scorePitch, stagePitch, vectors, type MatrixTile } from "./tiles.ts";

interface MatrixFrame extends Frame {
  readonly tile: MatrixTile;
  /** Channels of a head, rounded up to whole matrices. */
  readonly head: number;
}

const matrixFrame = (s: AttentionSpec, tile: MatrixTile, owns: Walk["owns"]): MatrixFrame => ({
  ...frameOf(s, tile, owns),
  tile,
  head: matrixHead(s.headDim, tile),
});

const ATTRIBUTES = "@diagnostic(off, chromium.subgroup_matrix_uniformity) @diagnostic(off, subgroup_uniformity) ";

/** `fn faStage_NAME`: copies a block of an operand to workgroup memory, row by row; zeros past its end. */
function stage(f: MatrixFrame, name: string, array: string, rows: number, count: number): string {
  const quads = f.head / 4;
  return `fn faStage_${name}(lid: u32, b: u32, h: u32, i0: u32) {
for (var x = lid; x < ${rows * quads}u; x += ${f.tx * f.ty}u) {
let i = x / ${quads}u; let c = x % ${quads}u;
var y = vec4<f16>();
if (i0 + i < ${count}u && c < ${vectors(f.s.headDim)}u) { y = fa_${name}(b, h, i0 + i, c); }
let o = i * ${stagePitch(f.head)}u + 4u * c;
${each(4, (d) => `${array}[o + ${d}u] = y[${d}];`)}
}
}`;
}

/**
 * Adds a product to the matrices sum0, sum1, …, which are the rows of this subgroup. `left` is [rows, depth]; `right`
 * is [depth, columns], or [columns, depth] where `turned`. `depth` is a multiple of the matrix's k.
 */
function multiply(
  {
    tile: {
      matrix: [m, n, k],
    },
  }: MatrixFrame,
  sum: string,
  left: string,
  leftPitch: number,
  right: string,
  rightPitch: number,
  turned: boolean,
  depth: number,
  columns: number,
): string {
  const loadLeft = `subgroupMatrixLoad<subgroup_matrix_left<f16, ${k}, ${m}>, row_major>`;
  const loadRight = `subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, ${turned ? "col_major" : "row_major"}>`;
  const at = (c: number): string => (turned ? `${c * n * rightPitch}u + k` : `k * ${rightPitch}u + ${c * n}u`);
  return `for (var k = 0u; k < ${depth}u; k += ${k}u) {
let l = ${loadLeft}(&${left}, own * ${leftPitch}u + k, ${leftPitch}u);
${each(
  columns / n,
  (c) => `{ let r = ${loadRight}(&${right}, ${at(c)}, ${rightPitch}u);
${sum}${c} = subgroupMatrixMultiplyAccumulate(l, r, ${sum}${c}); }`,
)}
}`;
}

const zeros = (
  {
    tile: {
      matrix: [m, n],
    },
  }: MatrixFrame,
  sum: string,
  columns: number,
): string => each(columns / n, (c) => `var ${sum}${c} = subgroup_matrix_result<f32, ${n}, ${m}>();`);

/** Stores the subgroup's rows of a product in workgroup memory. */
const spill = (
  {
    tile: {
      matrix: [, n],
    },
  }: MatrixFrame,
  sum: string,
  array: string,
  pitch: number,
  columns: number,
): string =>
  each(
    columns / n,
    (c) => `subgroupMatrixStore<row_major>(&${array}, own * ${pitch}u + ${c * n}u, ${sum}${c}, ${pitch}u);`,
  );

/** Multiplies the staged own rows in `left` with the staged other rows in `right`; stores the products in `array`. */
const scores = (f: MatrixFrame, sum: string, left: string, right: string, array: string): string => `{
${zeros(f, sum, f.other)}
${multiply(f, sum, left, stagePitch(f.head), right, stagePitch(f.head), true, f.head, f.other)}
${spill(f, sum, array, scorePitch(f.other), f.other)}
}`;

const score = (f: MatrixFrame, array: string, a: number, c: number): string =>
  `${array}[(base + ${a}u) * ${scorePitch(f.other)}u + tx + ${f.tx * c}u]`;
const putWeight = (f: MatrixFrame, array: string, a: number, c: number, value: string): string =>
  `${array}[(base + ${a}u) * ${stagePitch(f.other)}u + tx + ${f.tx * c}u] = f16(${value});`;

const memory = (
  f: MatrixFrame,
  arrays: readonly (readonly [name: string, element: "f16" | "f32", size: number])[],
): string =>
  `${arrays
    .map(([name, element, size]) => `var<workgroup> ${name}: array<${element}, ${size}>;`)
    .join("\n")}\n${LOOP_MEMORY}`;

/** Joins `name` over the tx invocations that share a row. These invocations are neighbours in one subgroup. */
const across = (f: MatrixFrame, name: string, join: (x: string, y: string) => string): string =>
  each(Math.log2(f.tx), (bit) => `${name} = ${join(name, `subgroupShuffleXor(${name}, ${2 ** bit}u)`)};`);

const open = ({
  s,
  tile: {
    matrix: [m],
    lanes,
  },
}: MatrixFrame): string => `${openText(s)}\nlet own = lid / ${lanes}u * ${m}u;`;

export function matrixForward(s: AttentionSpec, tile: MatrixTile): string {
  const f = matrixFrame(s, tile, "queries");
  const { mr, mc, tx, own, other, head } = f;
  const count = head / tx;
  const pitch = scorePitch(head);
  const i = (a: number): string => `i0 + base + ${a}u`;
  const j = (c: number): string => `j0 + tx + ${tx * c}u`;
  const kept = (a: number, c: number): string => (hasDropout(s) ? timesKept(s, i(a), j(c)) : "");
  const values = (fade: (a: number) => string): string => `{
${zeros(f, "y", head)}
${multiply(f, "y", "faW", stagePitch(other), "faB", stagePitch(head), false, other, head)}
${spill(f, "y", "faS", pitch, head)}
}
workgroupBarrier();
${each(mr, (a) =>
  each(count, (n) => `o${a}_${n} = o${a}_${n}${fade(a)} + faS[(base + ${a}u) * ${pitch}u + tx + ${tx * n}u];`),
)}`;
  const loop = loopText(
    s,
    f,
    `let j0 = t * ${other}u;
faStage_k(lid, b, h, j0);
workgroupBarrier();
${scores(f, "y", "faA", "faB", "faS")}
workgroupBarrier();
faStage_v(lid, b, h, j0);
${each(mc, (c) => `let col${c} = faCol(b, ${j(c)});`)}
${pairs(
  f,
  (a, c) =>
    `let v${a}_${c} = faSees(${i(a)}, ${j(c)}, mark${a}, col${c}); let s${a}_${c} = select(${LOWEST}, faScore(b, h, ` +
    `${i(a)}, ${j(c)}, ${score(f, "faS", a, c)}).x, v${a}_${c});`,
)}
${each(
  mr,
  (a) => `var top${a} = ${Array.from({ length: mc }, (_, c) => `s${a}_${c}`).reduce((x, y) => `max(${x}, ${y})`)};
${across(f, `top${a}`, (x, y) => `max(${x}, ${y})`)}
top${a} = max(top${a}, m${a}); let fade${a} = exp(m${a} - top${a}); m${a} = top${a}; l${a} *= fade${a};
${each(
  mc,
  (c) =>
    `let p${a}_${c} = select(0.0, exp(s${a}_${c} - m${a}), v${a}_${c}); l${a} += p${a}_${c}; ` +
    `${putWeight(f, "faW", a, c, `p${a}_${c}${kept(a, c)}`)}`,
)}`,
)}
workgroupBarrier();
${values((a) => ` * fade${a}`)}`,
  );
  // A row that sees no key weighs all values evenly. A second walk computes this, only in blocks that have such a row.
  const overRows = `(var x = 0u; x < min(${own}u, ${s.queries}u - i0); x++)`;
  const even = `workgroupBarrier();
${each(mr, (a) => `faS[base + ${a}u] = l${a};`)}
workgroupBarrier();
if (lid == 0u) { var w = 0u; for ${overRows} { if (faS[x] == 0.0) { w = 1u; } } faWord = w; }
if (workgroupUniformLoad(&faWord) != 0u) {
for (var j0 = 0u; j0 < ${s.keys}u; j0 += ${other}u) {
faStage_v(lid, b, h, j0);
${pairs(f, (a, c) =>
  putWeight(f, "faW", a, c, `select(0.0, 1.0, (l${a} == 0.0) & (${j(c)} < ${s.keys}u))${kept(a, c)}`),
)}
workgroupBarrier();
${values(() => "")}
workgroupBarrier();
}
${each(mr, (a) => `if (l${a} == 0.0) { l${a} = ${s.keys}.0; m${a} = -1e30; }`)}
}`;
  const text = `${memory(f, [
    ["faA", "f16", own * stagePitch(head)],
    ["faB", "f16", other * stagePitch(head)],
    ["faW", "f16", own * stagePitch(other)],
    ["faS", "f32", own * scorePitch(Math.max(other, head))],
  ])}
${["q", "k", "v"].map((name) => loadText(s, name)).join("\n")}
${stage(f, "q", "faA", own, s.queries)}
${stage(f, "k", "faB", other, s.keys)}
${stage(f, "v", "faB", other, s.keys)}`;
  const store =
    s.store[0] === undefined
      ? ""
      : each(
          mr,
          (a) => `if (${i(a)} < ${s.queries}u) { let x = 1.0 / l${a};
${each(count, (n) =>
  tx * n >= s.headDim
    ? ""
    : `${tx * (n + 1) > s.headDim ? `if (tx + ${tx * n}u < ${s.headDim}u) ` : ""}` +
      `{ ${s.store[0]?.name}(b, h, ${i(a)}, tx + ${tx * n}u, o${a}_${n} * x); }`,
)}
}`,
        );
  return kernel(
    f,
    text,
    open(f),
    `faStage_q(lid, b, h, i0);
${each(
  mr,
  (a) =>
    `let mark${a} = faRow(b, ${i(a)}); var m${a} = ${LOWEST}; var l${a} = ` +
    `0.0;\n${each(count, (n) => `var o${a}_${n} = 0.0;`)}`,
)}
${loop}
${each(mr, (a) => across(f, `l${a}`, (x, y) => `${x} + ${y}`))}
${mayBeBlind(s) ? even : ""}
${store}
${
  s.store[1]
    ? each(
        mr,
        (a) =>
          `if (tx == 0u && ${i(a)} < ${s.queries}u) { ${s.store[1]?.name}(b, h, ${i(a)}, 0u, m${a} + log(l${a})); }`,
      )
    : ""
}`,
    ATTRIBUTES,
  );
}

/**
 * Stores the sums of each subgroup in an output. One matrix of each subgroup at a time goes through workgroup memory.
 */
function store(f: MatrixFrame, output: number, sum: string, rows: number): string {
  const {
    matrix: [m, n],
    lanes,
  } = f.tile;
  const four = "vec4<f32>(faS[o], faS[o + 1u], faS[o + 2u], faS[o + 3u])";
  return each(
    f.head / n,
    (c) => `workgroupBarrier();
subgroupMatrixStore<row_major>(&faS, own * ${n}u, ${sum}${c}, ${n}u);
workgroupBarrier();
for (var e = lid % ${lanes}u; e < ${(m * n) / 4}u; e += ${lanes}u) {
let o = own * ${n}u + 4u * e; let i = i0 + own + e / ${n / 4}u; let c = ${(c * n) / 4}u + e % ${n / 4}u;
if (i < ${rows}u && c < ${vectors(f.s.headDim)}u) { ${storeText(f.s, output, "i", "c", four)} }
}`,
  );
}

/** The kernel of flashGradQ, or of flashGradKV where `owns` is "keys". */
export function matrixGrad(s: AttentionSpec, tile: MatrixTile, owns: Walk["owns"]): string {
  const f = matrixFrame(s, tile, owns);
  const { own, other, head } = f;
  const queries = owns === "queries";
  const sides = sidesOf(owns);
  const count = queries ? s.queries : s.keys;
  const rows = (name: string): number => (name === "q" || name === "dout" ? s.queries : s.keys);
  const wide = stagePitch(head);
  const loop = loopText(
    s,
    f,
    `let j0 = t * ${other}u;
faStage_${sides[2]}(lid, b, h, j0); faStage_${sides[3]}(lid, b, h, j0);
workgroupBarrier();
${scores(f, "y", "faA", "faC", "faS")}
${scores(f, "y", "faB", "faD", "faT")}
workgroupBarrier();
${otherMarks(f)}
${pairs(
  f,
  (a, c) =>
    `let x${a}_${c} = ${score(f, "faS", a, c)}; let d${a}_${c} = ${score(f, "faT", a, c)}; let g${a}_${c} = ` +
    `${gradCall(f, a, c)}; ${putWeight(f, "faW", a, c, `g${a}_${c}.x`)} ` +
    `${queries ? "" : putWeight(f, "faP", a, c, `g${a}_${c}.y`)}`,
)}
workgroupBarrier();
${multiply(f, "o", "faW", stagePitch(other), "faC", wide, false, other, head)}
${queries ? "" : multiply(f, "u", "faP", stagePitch(other), "faD", wide, false, other, head)}
workgroupBarrier();`,
  );
  const text = `${memory(f, [
    ["faA", "f16", own * wide],
    ["faB", "f16", own * wide],
    ["faC", "f16", other * wide],
    ["faD", "f16", other * wide],
    ["faS", "f32", own * scorePitch(other)],
    ["faT", "f32", own * scorePitch(other)],
    ["faW", "f16", own * stagePitch(other)],
    ...(queries ? [] : [["faP", "f16", own * stagePitch(other)] as const]),
  ])}
${statsText(s)}
${gradText(s)}
${sides
  .map((name, n) => `${loadText(s, name)}\n${stage(f, name, `fa${"ABCD"[n]}`, n < 2 ? own : other, rows(name))}`)
  .join("\n")}`;
  return kernel(
    f,
    text,
    open(f),
    `faStage_${sides[0]}(lid, b, h, i0); faStage_${sides[1]}(lid, b, h, i0);
${rowMarks(f)}
${zeros(f, "o", head)}
${queries ? "" : zeros(f, "u", head)}
${loop}
${store(f, 0, "o", count)}
${queries ? "" : store(f, 1, "u", count)}`,
    ATTRIBUTES,
  );
}
