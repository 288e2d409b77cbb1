/**
 * The register tile: an invocation computes `rows` x `columns` of the result directly from the loaders. It takes 4
 * steps of k at a time and uses no workgroup memory and no barriers. The tile is for software adapters, where a
 * subgroup is a SIMD register:
 *
 *   Lanes run along n. Each lane loads its own columns of B. The lanes together load `lanes` rows x 4 k of A once, and
 *   `subgroupBroadcast` gives each element to all lanes:   acc[row] += broadcast(a[row, k]) * b[k, columns].
 *
 * Reason: a software adapter turns a load in a loop into one guarded scalar load a lane, even for equal addresses
 * (about 400 bytes of code each). Without broadcasts every lane loads A, and these loads limit the speed. `choose.ts`
 * has the measurements. Tiles must stay small, because the loop has to fit a 32 KiB instruction cache.
 */
import { invariant } from "@cloze/errors";
import type { Part } from "../kernel.ts";
import type { MatmulProblem, MatmulSpec } from "../matmul-spec.ts";
import type { Profile } from "../profile.ts";
import { assemble, count, fetchText, splitLength, stored, storeText } from "./frame.ts";
import { extent, type RegisterTile } from "./tile.ts";

export function registerPart(spec: MatmulSpec, tile: RegisterTile, profile: Profile): Part {
  const { rows, columns, lanes, splits } = tile;
  invariant(
    columns % 4 === 0 && rows % (lanes > 1 ? lanes : 4) === 0 && (lanes === 1 || lanes % 4 === 0),
    `a register tile of ${rows}x${columns} over ${lanes} lanes`,
  );
  const size = extent(tile);
  const [a, b] = [stored(spec, "a"), stored(spec, "b")];
  const uses = new Set<string>();
  const module: string[] = [];
  const reach = (outer: number, step: number): number => Math.ceil(outer / step) * step;
  const [reachM, reachN, reachK] = [reach(spec.m, size.m), reach(spec.n, size.n), reach(spec.k, 4)];
  spec.problems.forEach((p, i) =>
    p.terms.forEach((term, t) => {
      module.push(
        fetchText(
          `mmA${i}_${t}`,
          term.a,
          spec,
          a,
          "clamp",
          a.alongK ? { rows: reachM, columns: reachK } : { rows: reachK, columns: reachM },
          uses,
        ),
      );
      module.push(
        fetchText(
          `mmB${i}_${t}`,
          term.b,
          spec,
          b,
          "clamp",
          b.alongK ? { rows: reachN, columns: reachK } : { rows: reachK, columns: reachN },
          uses,
        ),
      );
    }),
  );

  const groups = columns / 4;
  // The registers of A. With lanes, a register holds row `lane` of a group where A is stored along k. Where A is stored
  // along m it holds 4 rows from `lane / 4 * 4` on, at k `lane % 4`.
  const loadA = (fetch: string): readonly string[] => {
    const f32 = (x: string): string => `vec4<f32>(${fetch}(b, ${x}))`;
    if (lanes > 1)
      return count(rows / lanes).map((g) =>
        f32(a.alongK ? `row0 + ${g * lanes}u + lane, k` : `k + lane % 4u, row0 + ${g * lanes}u + lane / 4u * 4u`),
      );
    return a.alongK
      ? count(rows).map((r) => f32(`row0 + ${r}u, k`))
      : count(rows).map((r) => f32(`k + ${r % 4}u, row0 + ${r - (r % 4)}u`));
  };
  const elementA = (r: number, q: number): string => {
    if (lanes === 1) return a.alongK ? `a${r}[${q}]` : `a${r - (r % 4) + q}[${r % 4}]`;
    const group = Math.floor(r / lanes);
    const inside = r % lanes;
    return a.alongK
      ? `subgroupBroadcast(a${group}[${q}], ${inside}u)`
      : `subgroupBroadcast(a${group}[${r % 4}], ${inside - (inside % 4) + q}u)`;
  };
  /** Adds the products of `steps` (1 to 4) values of k. It loads 4 values of A but uses only `steps` of them. */
  const step = (i: number, t: number, steps: number, sums: boolean): string => {
    const lines: string[] = [];
    const loads = loadA(`mmA${i}_${t}`);
    loads.forEach((text, g) => lines.push(`let a${g} = ${text};`));
    if (sums) loads.forEach((_, g) => lines.push(`sum${g} += ${partOf(g, steps)};`));
    for (const c of b.alongK ? count(columns) : [])
      lines.push(`let t${c} = vec4<f32>(mmB${i}_${t}(b, col + ${c}u, k));`);
    for (const q of count(steps))
      for (const v of count(groups)) {
        lines.push(
          `let b${q}_${v} = ${
            b.alongK
              ? `vec4<f32>(${count(4)
                  .map((c) => `t${4 * v + c}[${q}]`)
                  .join(", ")})`
              : `vec4<f32>(mmB${i}_${t}(b, k + ${q}u, col + ${4 * v}u))`
          };`,
        );
      }
    for (const r of count(rows)) {
      for (const q of count(steps)) lines.push(`let x${r}_${q} = ${elementA(r, q)};`);
      for (const v of count(groups))
        for (const q of count(steps)) lines.push(`c${r}_${v} = fma(vec4<f32>(x${r}_${q}), b${q}_${v}, c${r}_${v});`);
    }
    return lines.join("\n");
  };
  const partOf = (g: number, steps: number): string => {
    if (steps === 4) return `a${g}`;
    if (a.alongK)
      return `a${g} * vec4<f32>(${count(4)
        .map((q) => (q < steps ? 1 : 0))
        .join(", ")})`;
    return lanes > 1 ? `select(vec4<f32>(), a${g}, lane % 4u < ${steps}u)` : g % 4 < steps ? `a${g}` : "vec4<f32>()";
  };
  const storeSums = (name: string): string => {
    const guarded = (row: string, value: string): string =>
      `${spec.m % size.m === 0 ? "" : `if (${row} < ${spec.m}u) `}{ ${name}(part, ${row}, ${value}); }`;
    if (lanes > 1) {
      return count(rows / lanes)
        .map((g) =>
          a.alongK
            ? `if (first) { let r = row0 + ${g * lanes}u + lane; ${guarded("r", `dot(sum${g}, vec4<f32>(1))`)} }`
            : `sum${g} += subgroupShuffleXor(sum${g}, 1u);\nsum${g} += subgroupShuffleXor(sum${g}, 2u);\nif ` +
              `(first) { let r = row0 + ${g * lanes}u + lane; ${guarded("r", `sum${g}[lane % 4u]`)} }`,
        )
        .join("\n");
    }
    const value = (r: number): string =>
      a.alongK
        ? `dot(sum${r}, vec4<f32>(1))`
        : count(4)
            .map((q) => `sum${r - (r % 4) + q}[${r % 4}]`)
            .join(" + ");
    return `if (first && li == 0u) {\n${count(rows)
      .map((r) => guarded(`row0 + ${r}u`, value(r)))
      .join("\n")}\n}`;
  };

  const product = (problem: MatmulProblem, i: number): string => {
    const whole = spec.k - (spec.k % 4);
    const length = splitLength(spec, tile);
    const [from, to] = splits === 1 ? ["0u", `${whole}u * once`] : ["start", "end"];
    const lines = [`let col = col0 + li * ${columns}u;`];
    if (splits > 1) lines.push(`let start = split * ${length}u;\nlet end = min(start + ${length}u, ${whole}u);`);
    for (const r of count(rows)) for (const v of count(groups)) lines.push(`var c${r}_${v} = vec4<f32>();`);
    const rowSums = problem.rowSums;
    if (rowSums !== undefined)
      for (const g of count(lanes > 1 ? rows / lanes : rows)) lines.push(`var sum${g} = vec4<f32>();`);
    problem.terms.forEach((_, t) => {
      const sums = rowSums !== undefined && t === 0;
      if (whole > 0) lines.push(`for (var k = ${from}; k < ${to}; k += 4u) {\n${step(i, t, 4, sums)}\n}`);
      // The last 1 to 3 values of k. The split whose range holds them adds them.
      if (whole < spec.k)
        lines.push(
          `${splits > 1 ? `if (split == ${Math.floor(whole / length)}u) ` : ""}{\nlet k = ` +
            `${whole}u;\n${step(i, t, spec.k - whole, sums)}\n}`,
        );
    });
    // A loop over rows keeps the storer's work in the text once. With a dropout and a GELU in the storer, lavapipe took
    // 4.8 s to compile 16 copies and 0.5 s to compile the loop. The loop runs as fast.
    lines.push(`var all = array<vec4<f32>, ${rows * groups}>(${count(rows)
      .flatMap((r) => count(groups).map((v) => `c${r}_${v}`))
      .join(", ")});
for (var r = 0u; r < ${rows}u * once; r++) {
${count(groups)
  .map(
    (v) =>
      `let v${v} = all[r * ${groups}u + ` +
      `${v}u];\n${storeText(problem.store, spec, tile, "row0 + r", `col + ${4 * v}u`, `v${v}`, uses)}`,
  )
  .join("\n")}
}`);
    if (rowSums !== undefined) {
      uses.add(rowSums.name);
      lines.push(storeSums(rowSums.name));
    }
    return lines.join("\n");
  };
  const problems = spec.problems.map(product);
  return assemble(spec, tile, profile, lanes > 1 ? ["subgroups"] : [], uses, module, (_, i) => problems[i] ?? "");
}
