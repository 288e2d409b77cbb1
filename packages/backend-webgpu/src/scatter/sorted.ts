/**
 * The sorted scatter, for many rows. It sorts the indices.
 *
 *   sort    One workgroup sorts each chunk of indices (Batcher's bitonic network) by the key row * chunk + place. Keys
 *           are distinct, so there is only one order, and equal rows keep their order.
 *   merge   The place of an element in the whole order is its place in its chunk, plus the number of elements of each
 *           other chunk before it, found by binary search. The start of each row's list is found in the same way.
 *   blocks  The sums of blocks: BLOCK adjacent places whose elements all belong to one row, inside a long list.
 *   rows    Each row adds its list, with the sums of whole blocks instead of their elements.
 *
 * Price: each update is read once. The first two kernels cost O(count (log^2 chunk + chunks log chunk)), independent of
 * the width. Only the indices decide the order of the sums. Source: Batcher 1968, Sorting networks and their
 * applications.
 */
import type { Part } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import type { ScatterParts, ScatterSpec } from "./scatter.ts";
import { addUp, enablesOf, laneOf, perThread } from "./text.ts";

const BLOCK = 32;
/** Chunks grow until there are at most this many, because each chunk costs every element a binary search. */
const CHUNKS = 16;
const SMALLEST = 256;
const LARGEST = 4096;
/** A key greater than that of every element. It pads the last chunk. */
const PAD = "0xffffffffu";

function chunkOf({ count, size }: ScatterSpec, profile: Profile): number {
  const most = Math.min(LARGEST, profile.limits.sharedBytes / 4, 2 ** Math.floor(32 - Math.log2(size + 2)));
  let chunk = Math.min(SMALLEST, most);
  while (chunk * CHUNKS < count && chunk * 2 <= most) chunk *= 2;
  return chunk;
}

export function sortedParts(spec: ScatterSpec, profile: Profile): ScatterParts {
  const { count, width, size, index } = spec;
  const chunk = chunkOf(spec, profile);
  const chunks = Math.ceil(count / chunk);
  const lane = laneOf(spec, true);
  const { type, columns } = lane;
  const across = width / columns;
  const blocks = Math.floor(count / BLOCK);
  const enables = enablesOf(spec);
  const part = (name: string, threads: number, body: string, functions: string, uses: readonly string[]): Part => {
    const { text, grid } = perThread(threads, profile, body);
    return {
      name: `scatter ${name}`,
      body: functions + text,
      grid,
      flops: 0,
      enables: uses.includes(lane.update) ? enables : [],
      uses,
    };
  };
  const element = (p: string): string => `${lane.update}(order[${p}], j)`;
  const at = (block: string): string => `((${block}) * ${across}u + column)`;
  const blocksPart = part(
    "blocks",
    blocks * across,
    `  let block = e / ${across}u;
  let j = (e % ${across}u) * ${columns}u;
  let first = block * ${BLOCK}u;
  if (${index.name}(order[first]) != ${index.name}(order[first + ${BLOCK - 1}u])) { return; }
  var sum = ${type}();
${addUp(type, "sum", "first", `first + ${BLOCK}u`, element)}
${columns === 1 ? "  partials[e] = sum;" : "  for (var k = 0u; k < 4u; k++) { partials[4u * e + k] = sum[k]; }"}`,
    "",
    ["order", "partials", index.name, lane.update],
  );
  const partial = (block: string): string =>
    columns === 1 ? `partials[${at(block)}]` : `partialAt(4u * ${at(block)})`;
  const rowsPart = part(
    "rows",
    size * across,
    `  let row = e / ${across}u;
  let column = e % ${across}u;
  let j = column * ${columns}u;
  let start = starts[row];
  let stop = starts[row + 1u];
  var sum = ${type}();${
    blocks === 0
      ? ""
      : `
  let first = (start + ${BLOCK - 1}u) / ${BLOCK}u;
  let last = stop / ${BLOCK}u;
  if (first < last) {
  ${addUp(type, "sum", "start", `first * ${BLOCK}u`, element)}
  ${addUp(type, "sum", "first", "last", partial)}
  ${addUp(type, "sum", `last * ${BLOCK}u`, "stop", element)}
  } else {`
  }
${addUp(type, "sum", "start", "stop", element)}${blocks === 0 ? "" : "\n  }"}
  ${lane.store}(row, j, sum);`,
    columns === 1 || blocks === 0
      ? ""
      : `fn partialAt(i: u32) -> ${type} { return ${type}(partials[i], partials[i + 1u], partials[i + 2u], ` +
          `partials[i + 3u]); }\n\n`,
    ["order", "starts", ...(blocks === 0 ? [] : ["partials"]), lane.update, lane.store],
  );
  return {
    parts: [
      sortPart(spec, chunk, chunks, profile),
      mergePart(spec, chunk, chunks, profile),
      ...(blocks === 0 ? [] : [blocksPart]),
      rowsPart,
    ],
    scratch: [
      { name: "sorted", element: "u32", size: chunks * chunk },
      { name: "order", element: "u32", size: count },
      { name: "starts", element: "u32", size: size + 1 },
      ...(blocks === 0 ? [] : [{ name: "partials", element: lane.element, size: blocks * width } as const]),
    ],
  };
}

function sortPart({ count, size, index }: ScatterSpec, chunk: number, chunks: number, profile: Profile): Part {
  const threads = Math.min(chunk / 2, profile.limits.invocations, 256);
  return {
    name: `scatter sort ${chunk}`,
    grid: [chunks, 1, 1],
    flops: 0,
    enables: [],
    uses: [index.name, "sorted"],
    body: `var<workgroup> keys: array<u32, ${chunk}>;

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let base = group.x * ${chunk}u;
  for (var p = lane; p < ${chunk}u; p += ${threads}u) {
    var key = ${PAD};
    if (base + p < ${count}u) { key = min(u32(${index.name}(base + p)), ${size}u) * ${chunk}u + p; }
    keys[p] = key;
  }
  workgroupBarrier();
  for (var run = 2u; run <= ${chunk}u; run <<= 1u) {
    for (var stride = run >> 1u; stride > 0u; stride >>= 1u) {
      for (var t = lane; t < ${chunk / 2}u; t += ${threads}u) {
        let a = 2u * t - (t & (stride - 1u));
        let b = a + stride;
        let x = keys[a];
        let y = keys[b];
        if ((x > y) == ((a & run) == 0u)) {
          keys[a] = y;
          keys[b] = x;
        }
      }
      workgroupBarrier();
    }
  }
  for (var p = lane; p < ${chunk}u; p += ${threads}u) { sorted[base + p] = keys[p]; }
}
`,
  };
}

function mergePart({ size }: ScatterSpec, chunk: number, chunks: number, profile: Profile): Part {
  const { text, grid } = perThread(
    chunks * chunk + size + 1,
    profile,
    `  if (e >= ${chunks * chunk}u) {
    let row = e - ${chunks * chunk}u;
    var before = 0u;
    for (var other = 0u; other < ${chunks}u; other++) { before += below(other, row * ${chunk}u); }
    starts[row] = before;
    return;
  }
  let key = sorted[e];
  if (key == ${PAD}) { return; }
  let own = e / ${chunk}u;
  let row = key / ${chunk}u;
  var place = e % ${chunk}u;
  for (var other = 0u; other < own; other++) { place += below(other, (row + 1u) * ${chunk}u); }
  for (var other = own + 1u; other < ${chunks}u; other++) { place += below(other, row * ${chunk}u); }
  order[place] = own * ${chunk}u + key % ${chunk}u;`,
  );
  return {
    name: `scatter merge ${chunks}`,
    grid,
    flops: 0,
    enables: [],
    uses: ["sorted", "order", "starts"],
    body: `// Keys of a chunk that are smaller than \`key\`.
fn below(part: u32, key: u32) -> u32 {
  var low = 0u;
  var high = ${chunk}u;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (sorted[part * ${chunk}u + middle] < key) { low = middle + 1u; } else { high = middle; }
  }
  return low;
}

${text}`,
  };
}
