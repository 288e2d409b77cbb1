/**
 * The dense scatter, for few rows. Thread (stretch, j) owns one column of the [size + 1, threads] accumulators in
 * workgroup memory. It adds column j of the updates of its stretch, in order. No other thread touches its column, so
 * the kernel needs no barrier and no atomic. Where there are several stretches, their sums go to memory, and a second
 * kernel adds them.
 *
 * Price: each update is read once. The sums of stretches add size / stretch of these reads, at most half.
 */
import type { Part } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import type { ScatterParts, ScatterSpec } from "./scatter.ts";
import { addUp, enablesOf, gridOf, laneOf, perThread } from "./text.ts";

/** Threads of a workgroup: WIDEST where all rows then fit workgroup memory, otherwise NARROWEST, which is a warp. */
const WIDEST = 64;
const NARROWEST = 32;
/** Above this number of rows the sums of stretches cost more than sorting. */
const MOST_ROWS = 192;
/** The largest number of stretches, which the second kernel adds one after another. */
const MOST_STRETCHES = 128;

/** The number of rows that fit workgroup memory, besides one more row for indices outside [0, size). */
export const denseRows = (profile: Profile): number =>
  Math.min(MOST_ROWS, Math.floor(profile.limits.sharedBytes / 4 / NARROWEST) - 1);

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, n)));

export function denseParts(spec: ScatterSpec, profile: Profile): ScatterParts {
  const { count, width, size, index, store } = spec;
  const lane = laneOf(spec, false);
  const stretch = Math.max(powerOfTwo(2 * size), powerOfTwo(count / MOST_STRETCHES));
  const stretches = Math.ceil(count / stretch);
  const threads = (size + 1) * WIDEST * 4 <= profile.limits.sharedBytes ? WIDEST : NARROWEST;
  const { grid, number } = gridOf(Math.ceil((stretches * width) / threads), profile);
  const alone = stretches === 1;
  const put = (row: string, value: string): string =>
    alone ? `${store.name}(${row}, j, ${value})` : `partials[(stretch * ${size}u + ${row}) * ${width}u + j] = ${value}`;
  const step = (
    k: number,
  ): string => `    let row${k} = min(u32(${index.name}(i + ${k}u)), ${size}u) * ${threads}u + lane;
    let value${k} = ${lane.type}(${lane.update}(i + ${k}u, j));`;
  const body = `var<workgroup> sums: array<${lane.type}, ${(size + 1) * threads}>;

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let e = (${number}) * ${threads}u + lane;
  if (e >= ${stretches * width}u) { return; }
  let stretch = e / ${width}u;
  let j = e % ${width}u;
  for (var row = 0u; row <= ${size}u; row++) { sums[row * ${threads}u + lane] = ${lane.type}(); }
  let last = min((stretch + 1u) * ${stretch}u, ${count}u);
  var i = stretch * ${stretch}u;
  for (; i + 4u <= last; i += 4u) {
${[0, 1, 2, 3].map(step).join("\n")}
${[0, 1, 2, 3].map((k) => `    sums[row${k}] += value${k};`).join("\n")}
  }
  for (; i < last; i++) {
    sums[min(u32(${index.name}(i)), ${size}u) * ${threads}u + lane] += ${lane.type}(${lane.update}(i, j));
  }
  for (var row = 0u; row < ${size}u; row++) { ${put("row", `sums[row * ${threads}u + lane]`)}; }
}
`;
  const first: Part = {
    name: `scatter dense ${stretch}x${threads}`,
    body,
    grid,
    flops: 0,
    enables: enablesOf(spec),
    uses: [index.name, lane.update, alone ? store.name : "partials"],
  };
  if (alone) return { parts: [first], scratch: [] };
  const fold = perThread(
    size * width,
    profile,
    `  var sum = ${lane.type}();
${addUp(lane.type, "sum", "0u", `${stretches}u`, (p) => `partials[(${p}) * ${size * width}u + e]`)}
  ${store.name}(e / ${width}u, e % ${width}u, sum);`,
  );
  return {
    parts: [
      first,
      {
        name: `scatter fold ${stretches}`,
        body: fold.text,
        grid: fold.grid,
        flops: 0,
        enables: [],
        uses: ["partials", store.name],
      },
    ],
    scratch: [{ name: "partials", element: lane.element, size: stretches * size * width }],
  };
}
