/**
 * The frame that all matmul templates share: the work of each workgroup, element access at the edges, and the stores.
 * Names in its text start with `mm`; all other names of the module belong to the caller.
 *
 * A workgroup's number counts n tiles, m tiles, batch, splits and problems, from fast to slow. A grid of one long axis
 * therefore serves every size. The axis is folded where it passes the device's limit.
 */
import { invariant } from "@cloze/errors";
import type { Loader, Part, Storer } from "../kernel.ts";
import type { MatmulProblem, MatmulSpec } from "../matmul-spec.ts";
import type { Profile } from "../profile.ts";
import { extent, type Tile, tileName } from "./tile.ts";

export const count = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/** Sizes of an operand as stored, without batch. `alongK`: its last axis, and so its vec4s, run along k. */
export interface Stored {
  readonly rows: number;
  readonly columns: number;
  readonly alongK: boolean;
}

export function stored(spec: MatmulSpec, side: "a" | "b"): Stored {
  const outer = side === "a" ? spec.m : spec.n;
  const alongK = side === "a" ? !spec.transposeA : spec.transposeB;
  return { rows: alongK ? outer : spec.k, columns: alongK ? spec.k : outer, alongK };
}

/** Number of k that one split sums: a multiple of the tile's step. */
export const splitLength = (spec: MatmulSpec, tile: Tile): number =>
  Math.ceil(Math.ceil(spec.k / tile.splits) / extent(tile).k) * extent(tile).k;

/**
 * `fn name(b, i, j) -> vec4<element>`: 4 elements along the last index; j is a multiple of 4. With `clamp` an index
 * past the end reads the last element, for use where the result is dropped. With `zero` it gives 0. `reach` is the
 * bound of the indices. Where tiles divide the sizes, the function checks nothing.
 */
export function fetchText(
  name: string,
  loader: Loader,
  spec: MatmulSpec,
  at: Stored,
  edge: "clamp" | "zero",
  reach: { readonly rows: number; readonly columns: number },
  uses: Set<string>,
): string {
  const [past, over] = [reach.rows > at.rows, reach.columns > at.columns];
  const head = `fn ${name}(b: u32, i: u32, j: u32) -> vec4<${spec.element}> {`;
  const wide = at.columns % 4 === 0 ? loader.vec4 : undefined;
  uses.add(wide ?? loader.name);
  const one = (c: number): string => {
    const j = c === 0 ? "j" : `j + ${c}u`;
    return edge === "clamp" && over ? `min(${j}, ${at.columns - 1}u)` : j;
  };
  const row = edge === "clamp" && past ? `min(i, ${at.rows - 1}u)` : "i";
  if (wide !== undefined) {
    const column = edge === "clamp" && over ? `min(j, ${at.columns - 4}u)` : "j";
    const inside =
      edge === "zero" ? [...(past ? [`i < ${at.rows}u`] : []), ...(over ? [`j < ${at.columns}u`] : [])] : [];
    const call = `return ${wide}(b, ${row}, ${column});`;
    return inside.length === 0
      ? `${head} ${call} }`
      : `${head} if (${inside.join(" && ")}) { ${call} } return vec4<${spec.element}>(); }`;
  }
  if (edge === "clamp")
    return `${head} return vec4<${spec.element}>(${count(4)
      .map((c) => `${loader.name}(b, ${row}, ${one(c)})`)
      .join(", ")}); }`;
  const set = count(4)
    .map(
      (c) =>
        `${over ? `if (${one(c)} < ${at.columns}u) { ` : ""}v[${c}] = ${loader.name}(b, i, ` +
        `${one(c)});${over ? " }" : ""}`,
    )
    .join(" ");
  return `${head} var v = vec4<${spec.element}>(); ${past ? `if (i < ${at.rows}u) { ${set} }` : set} return v; }`;
}

/** Calls the storer for 4 neighbours in a row, without those past the end. `value` is the name of a vec4<f32>. */
export function storeText(
  store: Storer,
  spec: MatmulSpec,
  tile: Tile,
  row: string,
  column: string,
  value: string,
  uses: Set<string>,
): string {
  const { m, n } = extent(tile);
  const over = spec.n % n !== 0;
  let text: string;
  if (spec.n % 4 === 0 && store.vec4 !== undefined) {
    uses.add(store.vec4);
    text = `${store.vec4}(part, ${row}, ${column}, ${value});`;
    if (over) text = `if (${column} < ${spec.n}u) { ${text} }`;
  } else {
    uses.add(store.name);
    text = count(4)
      .map((c) => {
        const one = `${store.name}(part, ${row}, ${column} + ${c}u, ${value}[${c}]);`;
        return over ? `if (${column} + ${c}u < ${spec.n}u) { ${one} }` : one;
      })
      .join(" ");
  }
  return spec.m % m !== 0 ? `if (${row} < ${spec.m}u) { ${text} }` : text;
}

/**
 * The kernel around `product(problem, index)`, which is the body of a WGSL function. The arguments of the function are
 * `once` (in register tiles), `li` (invocation), `lane`, `row0` and `col0` (corner of the workgroup's tile), `b`,
 * `split`, `part` (first index of the result) and `first` (true for the first tile along n).
 */
export function assemble(
  spec: MatmulSpec,
  tile: Tile,
  profile: Profile,
  enables: readonly string[],
  uses: ReadonlySet<string>,
  module: readonly string[],
  product: (problem: MatmulProblem, index: number) => string,
  attribute = "",
): Part {
  const { m, n, invocations } = extent(tile);
  invariant(
    spec.problems.length > 0 && spec.problems.every((p) => p.terms.length > 0),
    "a matmul without problems or terms",
  );
  const [gn, gm] = [Math.ceil(spec.n / n), Math.ceil(spec.m / m)];
  const total = gn * gm * spec.batch * tile.splits * spec.problems.length;
  const width = Math.min(total, profile.limits.workgroups);
  const height = Math.ceil(total / width);
  const lane = enables.includes("subgroups") ? ["@builtin(subgroup_invocation_id) lane: u32", "lane: u32", "lane"] : [];
  // Software adapters unroll a loop of known length, and its hundred loads then take many seconds to compile. `once` is
  // always 1, but the compiler cannot know this.
  const once =
    tile.kind === "register"
      ? [", @builtin(num_workgroups) nw: vec3<u32>", "once: u32, ", "min(nw.x, 1u), "]
      : ["", "", ""];
  const args =
    `${once[2]}li, ${lane.length > 0 ? "lane, " : ""}` + `row0, col0, b, split, split * ${spec.batch}u + b, col0 == 0u`;
  const call = (i: number): string => `mmProduct${i}(${args});`;
  const problems = spec.problems.map(
    (problem, i) =>
      `${attribute}fn mmProduct${i}(${once[1]}li: u32, ${lane.length > 0 ? "lane: u32, " : ""}row0: u32, col0: ` +
      `u32, b: u32, split: u32, part: u32, first: bool) {\n${product(problem, i)}\n}`,
  );
  const builtins = "@builtin(workgroup_id) w: vec3<u32>, @builtin(local_invocation_index) li: u32";
  const inputs = `${builtins}${once[0]}${lane.length > 0 ? `, ${lane[0]}` : ""}`;
  const past = width * height > total ? `\nif (id >= ${total}u) { return; }` : "";
  const main = `@compute @workgroup_size(${invocations}) fn main(${inputs}) {
let id = w.x${height > 1 ? ` + w.y * ${width}u` : ""};${past}
let col0 = id % ${gn}u * ${n}u;
let row0 = id / ${gn}u % ${gm}u * ${m}u;
let b = id / ${gn * gm}u % ${spec.batch}u;
let split = id / ${gn * gm * spec.batch}u % ${tile.splits}u;
${
  spec.problems.length === 1
    ? call(0)
    : `switch id / ${gn * gm * spec.batch * tile.splits}u ` +
      `{\n${spec.problems.map((_, i) => `${i === 0 ? "default" : `case ${i}u`}: { ${call(i)} }`).join("\n")}\n}`
}
}`;
  const layout = `${spec.transposeA ? "T" : "N"}${spec.transposeB ? "T" : "N"}`;
  const terms = spec.problems.reduce((sum, p) => sum + p.terms.length, 0);
  return {
    name: `matmul ${layout} ${tileName(tile)}`,
    body: [...module, ...problems, main].join("\n"),
    enables: [...new Set([...(spec.element === "f16" ? ["f16"] : []), ...enables])],
    uses: [...uses],
    grid: [width, height, 1],
    flops: 2 * spec.batch * spec.m * spec.n * spec.k * terms,
  };
}
