// The blocks that the kernels visit, counted on the device. Each visit adds one, and the kernel stores the count.
import { afterAll, describe, expect, it, vi } from "vitest";
import { attention, grad, Graph, interpret, order, rewrite, type Node } from "@cloze/graph";
import { deviceForTests } from "../../test/adapter.ts";
import type { OpenDevice } from "../runtime/device.ts";
import { isNotHere } from "../runtime/gpu.ts";
import type { FlashParams } from "./attention-spec.ts";
import { prepare, type Lab } from "./harness.ts";
import { attentionRules, isFlash } from "./rules.ts";

// Software adapters take seconds to compile a kernel.
vi.setConfig({ testTimeout: 180_000 });

const opened = await deviceForTests();
afterAll(() => {
  if (!isNotHere(opened)) opened.close();
}, 60_000);

interface Rows {
  readonly length: number;
  readonly window?: number;
  readonly causal?: boolean;
  /** Lengths of the documents of each row. The rest of a row is padding, with segment 0. */
  readonly documents?: readonly (readonly number[])[];
}

const segmentsOf = ({ length, documents = [] }: Rows): number[] =>
  documents.flatMap((row) => {
    const ids = row.flatMap((n, i) => new Array<number>(n).fill(i + 1));
    return [...ids, ...new Array<number>(length - ids.length).fill(0)];
  });

/** Adds a counter to the walk over blocks in a kernel's text. The kernel stores the count instead of its result. */
function counting(wgsl: string): string {
  const walks = [/todo &= todo - 1u;/g, /for \(var t = first; t < last; t\+\+\) \{/g];
  const stores = /(fn store\d+\([^)]*value: f32\) \{ out\d+\[[^\]]*\] = )f32\(value\)/g;
  expect(walks.reduce((n, w) => n + [...wgsl.matchAll(w)].length, 0)).toBe(1);
  expect([...wgsl.matchAll(stores)].length).toBeGreaterThan(0);
  const counted = walks
    .reduce((text, w) => text.replace(w, (line) => `${line}\nfaVisits += 1u;`), wgsl)
    .replace(stores, "$1f32(faVisits)");
  return `var<private> faVisits: u32;\n${counted}`;
}

/** For each owned block, in every batch, the number of other blocks with a visible pair. */
function needed(rows: Rows, { own, other, overKeys }: Blocks): number[] {
  const { length, window, causal = false, documents } = rows;
  const ids = segmentsOf(rows);
  const batch = documents?.length ?? 1;
  const counts: number[] = [];
  const sees = (b: number, i: number, j: number): boolean =>
    (window === undefined || Math.abs(i - j) <= window) &&
    (!causal || j <= i) &&
    (!documents || ids[b * length + i] === ids[b * length + j]);
  for (let b = 0; b < batch; b++)
    for (let r = 0; r < length; r += own) {
      const met = new Set<number>();
      for (let i = r; i < Math.min(length, r + own); i++)
        for (let j = 0; j < length; j++) if (overKeys ? sees(b, j, i) : sees(b, i, j)) met.add(Math.floor(j / other));
      counts.push(met.size);
    }
  return counts;
}

interface Blocks {
  readonly own: number;
  readonly other: number;
  readonly overKeys: boolean;
}

/** The number of blocks that each workgroup visited, in the order of `needed`. */
async function visits(
  lab: Lab,
  rows: Rows,
  name: string,
): Promise<{ readonly got: readonly number[]; readonly blocks: Blocks; readonly all: number }> {
  const { length, window, causal = false, documents } = rows;
  const batch = documents?.length ?? 1;
  const g = new Graph();
  const q = g.input("q", "f32", [batch, 1, length, 4]);
  const segments = documents && g.input("segments", "i32", [batch, length]);
  const y = attention(q, q.mul(2), q.mul(3), {
    ...(window !== undefined && { window }),
    ...(causal && { causal }),
    ...(segments && { segments }),
  });
  const { roots } = rewrite([y, ...grad(y.square().sum(), [q])], attentionRules(lab.profile), "attention");
  const node = order(roots)
    .filter(isFlash)
    .find((x) => x.attrs.composite.name === name) as Node<"composite">;
  const env = {
    q: Array.from({ length: batch * length * 4 }, (_, i) => Math.sin(i)),
    ...(documents && { segments: segmentsOf(rows) }),
  };
  const outputs = g.call(node.attrs.composite, node.args, node.attrs.params);
  const ready = await prepare(
    { ...lab, rewrite: counting },
    node,
    outputs,
    interpret(node.args, env).map((v) => v.data),
    false,
  );
  await ready.run();
  const [stored] = await ready.read();
  const { queryBlock, keyBlock } = node.attrs.params as FlashParams;
  const overKeys = name === "flashGradKV";
  const [own, other] = overKeys ? [keyBlock, queryBlock] : [queryBlock, keyBlock];
  const got: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let r = 0; r < length; r += own) got.push(stored?.[(b * length + r) * 4] as number);
  return { got, blocks: { own, other, overKeys }, all: Math.ceil(length / other) * got.length };
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const packed = [[70, 31, 90, 20], [200], [5, 5, 5, 120, 64, 20]];
const reason = isNotHere(opened) ? opened.reason : undefined;

// allow skip: this machine has no adapter, and says why
describe.skipIf(reason !== undefined)(`blocks visited (${reason ?? "here"})`, () => {
  const device = opened as OpenDevice;
  const profile =
    reason === undefined
      ? {
          ...device.profile,
          limits: { ...device.profile.limits, sharedBytes: 8192, invocations: 256 },
          subgroupMatrix: [],
        }
      : device.profile;
  const lab: Lab = { ...device, profile };
  const masks: Readonly<Record<string, Rows>> = {
    "a window": { length: 300, window: 20 },
    "a causal window": { length: 300, window: 33, causal: true },
    "documents and padding": { length: 224, documents: packed },
  };
  it("without a mask, all of them", async () => {
    const { got, all } = await visits(lab, { length: 200 }, "flashForward");
    expect(sum(got)).toBe(all);
  });
  for (const name of ["flashForward", "flashGradQ", "flashGradKV"]) {
    it.each(Object.keys(masks))(`${name}: of %s those with a pair that sees, no more`, async (mask) => {
      const rows = masks[mask] as Rows;
      const { got, blocks, all } = await visits(lab, rows, name);
      expect(got).toEqual(needed(rows, blocks));
      expect(sum(got)).toBeLessThan(0.75 * all);
    });
    it(`${name}: of documents under a window those that both leave`, async () => {
      const rows = { length: 224, documents: packed, window: 24 };
      const { got, blocks } = await visits(lab, rows, name);
      const [both, byDocuments, byWindow] = [
        rows,
        { length: 224, documents: packed },
        { length: 224, documents: packed.map(() => [224]), window: 24 },
      ].map((r) => needed(r, blocks)) as [number[], number[], number[]];
      got.forEach((n, i) => {
        expect(n).toBeGreaterThanOrEqual(both[i] as number);
        expect(n).toBeLessThanOrEqual(Math.min(byDocuments[i] as number, byWindow[i] as number));
      });
    });
  }
});
