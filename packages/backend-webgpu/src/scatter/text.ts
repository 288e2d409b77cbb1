/**
 * The WGSL that both scatters share: the loading, adding and storing of elements, and kernels with one thread for each
 * element of a result.
 */
import { invariant } from "@cloze/errors";
import type { Profile } from "../profile.ts";
import type { ScatterSpec } from "./scatter.ts";

/** Threads of a workgroup whose threads are independent. */
export const THREADS = 128;

/** The types and functions of one column, or of four neighbouring columns, in WGSL. */
export interface Lane {
  readonly columns: 1 | 4;
  /** The type of the sum. */
  readonly element: "f32" | "i32" | "u32";
  /** The type of `columns` elements. */
  readonly type: string;
  readonly update: string;
  readonly store: string;
}

export function laneOf({ update, store, width }: ScatterSpec, allowVec4: boolean): Lane {
  invariant(update.element !== "bool", "scatterAdd of bool");
  const element = update.element === "f16" ? "f32" : update.element;
  if (allowVec4 && width % 4 === 0 && update.vec4 !== undefined && store.vec4 !== undefined) {
    return { columns: 4, element, type: `vec4<${element}>`, update: update.vec4, store: store.vec4 };
  }
  return { columns: 1, element, type: element, update: update.name, store: store.name };
}

export const enablesOf = ({ update }: ScatterSpec): readonly string[] => (update.element === "f16" ? ["f16"] : []);

/** A grid of at least `groups` workgroups, and WGSL for the number of a workgroup in it. */
export function gridOf(
  groups: number,
  profile: Profile,
): { readonly grid: readonly [number, number, number]; readonly number: string } {
  const rows = Math.ceil(groups / profile.limits.workgroups);
  const x = Math.ceil(groups / rows);
  return { grid: [x, rows, 1], number: rows === 1 ? "group.x" : `group.y * ${x}u + group.x` };
}

/** A kernel whose thread `e` of `threads` runs `body`. */
export function perThread(
  threads: number,
  profile: Profile,
  body: string,
): { readonly text: string; readonly grid: readonly [number, number, number] } {
  const { grid, number } = gridOf(Math.ceil(threads / THREADS), profile);
  return {
    grid,
    text: `@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let e = (${number}) * ${THREADS}u + lane;
  if (e >= ${threads}u) { return; }
${body}
}
`,
  };
}

/** Adds `term(p)` for `from` <= p < `to` to `sum`, four at a time, so that four loads run at once. */
export const addUp = (type: string, sum: string, from: string, to: string, term: (p: string) => string): string => `  {
    var p = ${from};
    for (; p + 4u <= ${to}; p += 4u) {
      let a = ${type}(${term("p")});
      let b = ${type}(${term("p + 1u")});
      let c = ${type}(${term("p + 2u")});
      let d = ${type}(${term("p + 3u")});
      ${sum} += (a + b) + (c + d);
    }
    for (; p < ${to}; p++) { ${sum} += ${type}(${term("p")}); }
  }`;
