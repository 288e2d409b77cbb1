/**
 * The shared tile, the usual one on GPUs: a workgroup computes m x n of the result. It stages slices of k of both
 * operands in workgroup memory. Each invocation multiplies `rows` x `columns` from there:
 *
 *   acc += As[rows, k] * Bs[k, columns]
 *
 * The stage keeps the storage order of an operand, in vec4s along its last index, so staging transposes nothing. For 4
 * steps of k an invocation reads `rows + columns` vec4s in every layout. Where an operand runs along k, row r of the
 * tile is in slot r % 4 * (m / 4) + r / 4, and a slot is padded to an odd number of vec4s. Thus 8 neighbours that read
 * rows 4 apart use 8 different banks. The rows of an invocation are groups of four, `m / rows * 4` apart, so that
 * neighbours store neighbouring vec4s.
 *
 * Sums are f32; f16 operands are staged as f16. Past the end of k the stage holds zeros.
 */
import { invariant } from "@cloze/errors";
import type { Part } from "../kernel.ts";
import type { MatmulProblem, MatmulSpec } from "../matmul-spec.ts";
import type { Profile } from "../profile.ts";
import { assemble, count, fetchText, splitLength, stored, storeText, type Stored } from "./frame.ts";
import { extent, type SharedTile } from "./tile.ts";

interface Side {
  readonly at: Stored;
  /** Rows or columns of the workgroup's tile (`span`) and of one invocation (`own`). */
  readonly span: number;
  readonly own: number;
  /** Distance in vec4s of two slots (operand along k), or of two values of k (operand along m or n). */
  readonly stride: number;
  /** Number of vec4s in the staging array. */
  readonly size: number;
}

function sideOf(spec: MatmulSpec, tile: SharedTile, side: "a" | "b"): Side {
  const at = stored(spec, side);
  const [span, own] = side === "a" ? [tile.m, tile.rows] : [tile.n, tile.columns];
  const stride = at.alongK ? tile.k / 4 + (1 - ((tile.k / 4) % 2)) : span / 4;
  return { at, span, own, stride, size: at.alongK ? span * stride : tile.k * stride };
}

/** Bytes of workgroup memory that a shared tile takes. */
export const sharedBytes = (spec: MatmulSpec, tile: SharedTile): number =>
  (sideOf(spec, tile, "a").size + sideOf(spec, tile, "b").size) * (spec.element === "f16" ? 8 : 16);

export function sharedPart(spec: MatmulSpec, tile: SharedTile, profile: Profile): Part {
  const { rows, columns, splits } = tile;
  invariant(
    [rows, columns, tile.k, tile.m / rows, tile.n / columns].every(Number.isInteger) &&
      rows % 4 === 0 &&
      columns % 4 === 0 &&
      tile.k % 4 === 0,
    `a shared tile ${JSON.stringify(tile)}`,
  );
  const size = extent(tile);
  const [a, b] = [sideOf(spec, tile, "a"), sideOf(spec, tile, "b")];
  const [down, across] = [tile.m / rows, tile.n / columns];
  const length = splitLength(spec, tile);
  const uses = new Set<string>();
  const module = [
    `var<workgroup> mmStageA: array<vec4<${spec.element}>, ${a.size}>;`,
    `var<workgroup> mmStageB: array<vec4<${spec.element}>, ${b.size}>;`,
  ];
  const up = (n: number, step: number): number => Math.ceil(n / step) * step;
  const reachOf = (s: Side, outer: number): { rows: number; columns: number } => {
    const [o, k] = [up(outer, s.span), up(spec.k, tile.k)];
    return s.at.alongK ? { rows: o, columns: k } : { rows: k, columns: o };
  };
  spec.problems.forEach((p, i) =>
    p.terms.forEach((term, t) => {
      module.push(fetchText(`mmA${i}_${t}`, term.a, spec, a.at, "zero", reachOf(a, spec.m), uses));
      module.push(fetchText(`mmB${i}_${t}`, term.b, spec, b.at, "zero", reachOf(b, spec.n), uses));
    }),
  );

  /** Declares the variables `name0`, `name1`, … for this invocation's share of a slice, loads them, or stages them. */
  const share = (
    s: Side,
    name: string,
    stage: string,
    base: string,
    fetch: string,
    what: "declare" | "load" | "put",
  ): string => {
    const [run, total] = [s.at.alongK ? tile.k / 4 : s.span / 4, (s.span * tile.k) / 4];
    return count(Math.ceil(total / size.invocations))
      .map((f) => {
        const own = `${name}${f}`;
        if (what === "declare") return `var ${own} = vec4<${spec.element}>();`;
        const flat = f === 0 ? "li" : `(li + ${f * size.invocations}u)`;
        const [q, r] = [`${flat} % ${run}u`, `${flat} / ${run}u`];
        const text =
          what === "load"
            ? `${own} = ${fetch}(b, ` +
              `${s.at.alongK ? `${base} + ${r}, k + ${q} * 4u` : `k + ${r}, ${base} + ${q} * 4u`});`
            : s.at.alongK
              ? `${stage}[(${r} % 4u * ${s.span / 4}u + ${r} / 4u) * ${s.stride}u + ${q}] = ${own};`
              : `${stage}[${flat}] = ${own};`;
        return (f + 1) * size.invocations > total ? `if (${flat} < ${total}u) { ${text} }` : text;
      })
      .join("\n");
  };
  const both = (what: "declare" | "load" | "put", i = 0, t = 0): string =>
    `${share(a, "fa", "mmStageA", "row0", `mmA${i}_${t}`, what)}\n` +
    `${share(b, "fb", "mmStageB", "col0", `mmB${i}_${t}`, what)}`;

  /** Reads the vec4s that this invocation needs for 4 steps of k. `element` is row or column r of them at step q. */
  const read = (s: Side, name: string, stage: string, index: string, stripes: number): string =>
    s.at.alongK
      ? count(s.own)
          .map(
            (r) =>
              `let ${name}${r} = ${stage}[(${(r % 4) * (s.span / 4) + Math.floor(r / 4) * stripes}u + ${index}) ` +
              `* ${s.stride}u + s];`,
          )
          .join("\n")
      : count(4)
          .flatMap((q) =>
            count(s.own / 4).map(
              (g) => `let ${name}${q}_${g} = ${stage}[(s * 4u + ${q}u) * ${s.stride}u + ${g * stripes}u + ${index}];`,
            ),
          )
          .join("\n");
  const element = (s: Side, name: string, r: number, q: number): string =>
    s.at.alongK ? `${name}${r}[${q}]` : `${name}${q}_${Math.floor(r / 4)}[${r % 4}]`;
  const wide = (x: string): string => (spec.element === "f16" ? `vec4<f32>(${x})` : x);
  const multiply = (): string => {
    const lines = [
      `for (var s = 0u; s < ${tile.k / 4}u; s++) {`,
      read(a, "a", "mmStageA", "ty", down),
      read(b, "b", "mmStageB", "tx", across),
    ];
    for (const q of count(4)) {
      for (const g of count(columns / 4)) {
        lines.push(
          `let w${q}_${g} = ${wide(
            b.at.alongK
              ? `vec4<${spec.element}>(${count(4)
                  .map((c) => element(b, "b", 4 * g + c, q))
                  .join(", ")})`
              : `b${q}_${g}`,
          )};`,
        );
      }
      for (const r of count(rows))
        for (const g of count(columns / 4))
          lines.push(`c${r}_${g} = fma(vec4<f32>(f32(${element(a, "a", r, q)})), w${q}_${g}, c${r}_${g});`);
    }
    return `${lines.join("\n")}\n}`;
  };

  const sumRows = count(Math.ceil(tile.m / size.invocations));
  /** Adds the staged slice to the row sums. Invocation li has the rows li, li + invocations, … of the tile. */
  const addSums = (): string =>
    `if (first) {\n${sumRows
      .map((f) => {
        const r = `(li + ${f * size.invocations}u)`;
        const text = a.at.alongK
          ? `for (var s = 0u; s < ${tile.k / 4}u; s++) { sum${f} += dot(vec4<f32>(mmStageA[(${r} % 4u * ` +
            `${tile.m / 4}u + ${r} / 4u) * ${a.stride}u + s]), vec4<f32>(1)); }`
          : `for (var s = 0u; s < ${tile.k}u; s++) { sum${f} += f32(mmStageA[s * ${a.stride}u + ${r} / 4u][${r} % ` +
            "4u]); }";
        return (f + 1) * size.invocations > tile.m ? `if (${r} < ${tile.m}u) { ${text} }` : text;
      })
      .join("\n")}\n}`;

  const product = (problem: MatmulProblem, i: number): string => {
    const [from, to] = splits === 1 ? ["0u", `${spec.k}u`] : ["start", "end"];
    const lines = [`let tx = li % ${across}u;\nlet ty = li / ${across}u;`];
    if (splits > 1) lines.push(`let start = split * ${length}u;\nlet end = min(start + ${length}u, ${spec.k}u);`);
    for (const r of count(rows)) for (const g of count(columns / 4)) lines.push(`var c${r}_${g} = vec4<f32>();`);
    if (problem.rowSums !== undefined) for (const f of sumRows) lines.push(`var sum${f} = 0f;`);
    lines.push(both("declare"));
    problem.terms.forEach((_, t) => {
      if (tile.prefetch)
        lines.push(`${splits > 1 ? `if (${from} < ${to}) ` : ""}{\nlet k = ${from};\n${both("load", i, t)}\n}`);
      lines.push(`for (var k0 = ${from}; k0 < ${to}; k0 += ${tile.k}u) {`);
      if (!tile.prefetch) lines.push(`let k = k0;\n${both("load", i, t)}`);
      lines.push(`workgroupBarrier();\n${both("put")}\nworkgroupBarrier();`);
      if (tile.prefetch) lines.push(`let k = k0 + ${tile.k}u;\nif (k < ${to}) {\n${both("load", i, t)}\n}`);
      lines.push(multiply());
      if (problem.rowSums !== undefined && t === 0) lines.push(addSums());
      lines.push("}");
    });
    for (const r of count(rows))
      for (const g of count(columns / 4)) {
        const row = `row0 + ty * 4u + ${Math.floor(r / 4) * 4 * down + (r % 4)}u`;
        lines.push(
          storeText(problem.store, spec, tile, row, `col0 + tx * 4u + ${g * 4 * across}u`, `c${r}_${g}`, uses),
        );
      }
    if (problem.rowSums !== undefined) {
      const name = problem.rowSums.name;
      uses.add(name);
      for (const f of sumRows) {
        const inside = [
          `first`,
          ...((f + 1) * size.invocations > tile.m ? [`li + ${f * size.invocations}u < ${tile.m}u`] : []),
          ...(spec.m % tile.m === 0 ? [] : [`row0 + li + ${f * size.invocations}u < ${spec.m}u`]),
        ];
        lines.push(`if (${inside.join(" && ")}) { ${name}(part, row0 + li + ${f * size.invocations}u, sum${f}); }`);
      }
    }
    return lines.join("\n");
  };
  const problems = spec.problems.map(product);
  return assemble(spec, tile, profile, [], uses, module, (_, i) => problems[i] ?? "");
}
