/**
 * The matmul tile for a device's matrix units, through Dawn's experimental `chromium_experimental_subgroup_matrix`: f16
 * operands, f32 results.
 *
 * As in `shared.ts`, slices of k of both operands are staged in their storage order. Rows are padded by 8 elements
 * against bank conflicts, and zeros fill the edges. Each subgroup then multiplies a grid of whole matrices:
 *
 *   acc[i][j] += left[i] (m x k) * right[j] (k x n)
 *
 * A transposed operand is loaded column by column (`col_major`), so every layout uses the same kernel. Results go
 * through workgroup memory, one matrix of each subgroup at a time, because invocations can read single elements only
 * there.
 *
 * This kernel has not run on real matrix units. Dawn's null backend accepts the text (`matmul.test.ts`), but no test
 * checks the values.
 */
import { invariant } from "@cloze/errors";
import type { Part } from "../kernel.ts";
import type { MatmulProblem, MatmulSpec } from "../matmul-spec.ts";
import type { Profile } from "../profile.ts";
import { assemble, count, fetchText, splitLength, stored, storeText } from "./frame.ts";
import { extent, type SubgroupMatrixTile } from "./tile.ts";

const padding = 8;

interface Stage {
  readonly alongK: boolean;
  readonly span: number;
  readonly stride: number;
  readonly size: number;
}

function stageOf(spec: MatmulSpec, tile: SubgroupMatrixTile, side: "a" | "b"): Stage {
  const { alongK } = stored(spec, side);
  const span = extent(tile)[side === "a" ? "m" : "n"];
  const stride = (alongK ? tile.k : span) + padding;
  return { alongK, span, stride, size: stride * (alongK ? span : tile.k) };
}

function bytes(spec: MatmulSpec, tile: SubgroupMatrixTile): number {
  const scratch = tile.subgroups[0] * tile.subgroups[1] * tile.matrix[0] * tile.matrix[1] * 4;
  return (stageOf(spec, tile, "a").size + stageOf(spec, tile, "b").size) * 2 + scratch;
}

/** The tiles that fit the device, the largest first, for each of its matrix sizes. `speed` is relative to the best. */
export function matrixTiles(
  spec: MatmulSpec,
  profile: Profile,
): readonly { readonly tile: SubgroupMatrixTile; readonly speed: number }[] {
  const { subgroups, limits } = profile;
  // The kernel must know the subgroup of each invocation, so subgroups must have one size only.
  if (spec.element !== "f16" || !profile.f16 || subgroups === undefined || subgroups.min !== subgroups.max) return [];
  const lanes = subgroups.max;
  const shapes: readonly (readonly [m: number, n: number, down: number, across: number, speed: number])[] = [
    [64, 32, 2, 4, 1],
    [32, 32, 2, 4, 0.8],
    [32, 32, 2, 2, 0.65],
    [16, 16, 2, 2, 0.4],
  ];
  return profile.subgroupMatrix
    .filter((c) => c.component === "f16" && c.result === "f32")
    .flatMap(({ m, n, k }) =>
      shapes.flatMap(([rows, columns, down, across, speed]) =>
        [32, 16].flatMap((depth) => {
          const tile: SubgroupMatrixTile = {
            kind: "subgroup-matrix",
            matrix: [m, n, k],
            matrices: [rows / m, columns / n],
            subgroups: [down, across],
            k: Math.max(depth, k),
            lanes,
            splits: 1,
          };
          const whole = [...tile.matrices, tile.k / k, n / 4].every((x) => Number.isInteger(x) && x > 0);
          const fits =
            whole && extent(tile).invocations <= limits.invocations && bytes(spec, tile) <= limits.sharedBytes;
          return fits && (depth === 32 || k <= 16) ? [{ tile, speed: depth === 32 ? speed : speed * 0.95 }] : [];
        }),
      ),
    );
}

export function subgroupMatrixPart(spec: MatmulSpec, tile: SubgroupMatrixTile, profile: Profile): Part {
  const {
    matrix: [M, N, K],
    matrices: [down, across],
    lanes,
    splits,
  } = tile;
  invariant(spec.element === "f16" && tile.k % K === 0 && N % 4 === 0, "a subgroup matrix tile for f16 operands");
  const size = extent(tile);
  const [a, b] = [stageOf(spec, tile, "a"), stageOf(spec, tile, "b")];
  const length = splitLength(spec, tile);
  const uses = new Set<string>();
  const module = [
    `var<workgroup> mmStageA: array<f16, ${a.size}>;`,
    `var<workgroup> mmStageB: array<f16, ${b.size}>;`,
    `var<workgroup> mmOut: array<f32, ${tile.subgroups[0] * tile.subgroups[1] * M * N}>;`,
  ];
  const up = (n: number, step: number): number => Math.ceil(n / step) * step;
  const reachOf = (s: Stage, outer: number): { rows: number; columns: number } => {
    const [o, k] = [up(outer, s.span), up(spec.k, tile.k)];
    return s.alongK ? { rows: o, columns: k } : { rows: k, columns: o };
  };
  spec.problems.forEach((p, i) =>
    p.terms.forEach((term, t) => {
      module.push(fetchText(`mmA${i}_${t}`, term.a, spec, stored(spec, "a"), "zero", reachOf(a, spec.m), uses));
      module.push(fetchText(`mmB${i}_${t}`, term.b, spec, stored(spec, "b"), "zero", reachOf(b, spec.n), uses));
    }),
  );

  const fill = (s: Stage, stage: string, base: string, fetch: string): string => {
    const [run, total] = [(s.alongK ? tile.k : s.span) / 4, (s.span * tile.k) / 4];
    return `for (var f = li; f < ${total}u; f += ${size.invocations}u) {
let r = f / ${run}u;
let q = f % ${run}u * 4u;
let v = ${fetch}(b, ${s.alongK ? `${base} + r, k + q` : `k + r, ${base} + q`});
let o = r * ${s.stride}u + q;
${count(4)
  .map((c) => `${stage}[o + ${c}u] = v[${c}];`)
  .join(" ")}
}`;
  };
  const load = (s: Stage, side: "left" | "right", stage: string, corner: string, step: string): string => {
    const shape = side === "left" ? `${K}, ${M}` : `${N}, ${K}`;
    const order = s.alongK === (side === "left") ? "row_major" : "col_major";
    const at = s.alongK ? `(${corner}) * ${s.stride}u + ${step}` : `(${step}) * ${s.stride}u + ${corner}`;
    return `subgroupMatrixLoad<subgroup_matrix_${side}<f16, ${shape}>, ${order}>(&${stage}, ${at}, ${s.stride}u)`;
  };
  const sumRows = count(Math.ceil(size.m / size.invocations));
  const addSums = `if (first) {\n${sumRows
    .map((f) => {
      const r = `(li + ${f * size.invocations}u)`;
      const text =
        `for (var s = 0u; s < ${tile.k}u; s++) { sum${f} += ` +
        `f32(mmStageA[${a.alongK ? `${r} * ${a.stride}u + s` : `s * ${a.stride}u + ${r}`}]); }`;
      return (f + 1) * size.invocations > size.m ? `if (${r} < ${size.m}u) { ${text} }` : text;
    })
    .join("\n")}\n}`;

  const product = (problem: MatmulProblem, i: number): string => {
    const [from, to] = splits === 1 ? ["0u", `${spec.k}u`] : ["start", "end"];
    const lines = [
      `let sg = li / ${lanes}u;`,
      `let inM = sg / ${tile.subgroups[1]}u * ${down * M}u;`,
      `let inN = sg % ${tile.subgroups[1]}u * ${across * N}u;`,
      ...(splits > 1 ? [`let start = split * ${length}u;\nlet end = min(start + ${length}u, ${spec.k}u);`] : []),
      ...count(down).flatMap((m) =>
        count(across).map((n) => `var c${m}_${n} = subgroup_matrix_result<f32, ${N}, ${M}>();`),
      ),
      ...(problem.rowSums === undefined ? [] : sumRows.map((f) => `var sum${f} = 0f;`)),
    ];
    problem.terms.forEach((_, t) => {
      lines.push(`for (var k = ${from}; k < ${to}; k += ${tile.k}u) {\nworkgroupBarrier();`);
      lines.push(
        fill(a, "mmStageA", "row0", `mmA${i}_${t}`),
        fill(b, "mmStageB", "col0", `mmB${i}_${t}`),
        "workgroupBarrier();",
      );
      lines.push(`for (var s = 0u; s < ${tile.k}u; s += ${K}u) {`);
      for (const m of count(down)) lines.push(`let l${m} = ${load(a, "left", "mmStageA", `inM + ${m * M}u`, "s")};`);
      for (const n of count(across)) {
        lines.push(`let r${n} = ${load(b, "right", "mmStageB", `inN + ${n * N}u`, "s")};`);
        for (const m of count(down))
          lines.push(`c${m}_${n} = subgroupMatrixMultiplyAccumulate(l${m}, r${n}, c${m}_${n});`);
      }
      lines.push("}");
      if (problem.rowSums !== undefined && t === 0) lines.push(addSums);
      lines.push("}");
    });
    for (const m of count(down))
      for (const n of count(across)) {
        lines.push(`workgroupBarrier();
subgroupMatrixStore<row_major>(&mmOut, sg * ${M * N}u, c${m}_${n}, ${N}u);
workgroupBarrier();
for (var e = li % ${lanes}u; e < ${(M * N) / 4}u; e += ${lanes}u) {
let o = sg * ${M * N}u + e * 4u;
let v = vec4<f32>(mmOut[o], mmOut[o + 1u], mmOut[o + 2u], mmOut[o + 3u]);
let r = row0 + inM + ${m * M}u + e / ${N / 4}u;
let q = col0 + inN + ${n * N}u + e % ${N / 4}u * 4u;
${storeText(problem.store, spec, tile, "r", "q", "v", uses)}
}`);
      }
    if (problem.rowSums !== undefined) {
      const { name } = problem.rowSums;
      uses.add(name);
      for (const f of sumRows)
        lines.push(
          `if (first && li + ${f * size.invocations}u < ${size.m}u && row0 + li + ${f * size.invocations}u < ` +
            `${spec.m}u) { ${name}(part, row0 + li + ${f * size.invocations}u, sum${f}); }`,
        );
    }
    return lines.join("\n");
  };
  const problems = spec.problems.map(product);
  return assemble(
    spec,
    tile,
    profile,
    ["chromium_experimental_subgroup_matrix"],
    uses,
    module,
    (_, i) => problems[i] ?? "",
    "@diagnostic(off, chromium.subgroup_matrix_uniformity) ",
  );
}
