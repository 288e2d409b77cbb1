// Attention kernels compared with the interpreter: the composites, and attention and its gradient after the rules.
import { afterAll, describe, expect, it, vi } from "vitest";
import {
  attention,
  castPolicyRules,
  grad,
  Graph,
  interpret,
  order,
  rewrite,
  type AttentionOptions,
  type Tensor,
} from "@cloze/graph";
import { deviceForTests } from "../../test/adapter.ts";
import type { OpenDevice } from "../runtime/device.ts";
import { isNotHere } from "../runtime/gpu.ts";
import { baseProfile } from "../profile.ts";
import { emulateMatrices } from "./emulate-matrices.ts";
import { prepare, type Lab } from "./harness.ts";
import { attentionRules, isFlash } from "./rules.ts";

// Software adapters take seconds to compile a kernel.
vi.setConfig({ testTimeout: 180_000 });

const opened = await deviceForTests();
afterAll(() => {
  if (!isNotHere(opened)) opened.close();
}, 60_000);

interface Case {
  /** batch, heads, queries, keys, headDim. */
  readonly size: readonly [number, number, number, number, number];
  readonly causal?: boolean;
  readonly window?: number;
  readonly softcap?: number;
  readonly scale?: number;
  /** Share of visible keys, by batch. */
  readonly padding?: readonly number[];
  /** Id of each position. */
  readonly segments?: (batch: number, i: number) => number;
  readonly bias?: readonly [number, number];
  readonly dropout?: number;
  /** A dropout key for each row of the batch. */
  readonly rowKeys?: true;
}

/** A number in [-1, 1], without a pattern. */
const noise = (i: number): number => Math.sin(i * 12.9898 + Math.sin(i * 78.233) * 43758.5453);
const fill = (n: number, f: (i: number) => number): Float32Array => Float32Array.from({ length: n }, (_, i) => f(i));

function build(
  c: Case,
  f16: boolean,
): { readonly roots: readonly Tensor[]; readonly env: Readonly<Record<string, ArrayLike<number>>> } {
  const [batch, heads, queries, keys, dim] = c.size;
  const g = new Graph();
  const env: Record<string, ArrayLike<number>> = {};
  const f = (name: string, shape: readonly number[], seed: number): Tensor<"f32"> => {
    env[name] = fill(
      shape.reduce((a, b) => a * b, 1),
      (i) => noise(i + seed),
    );
    return g.input(name, "f32", shape);
  };
  const q = f("q", [batch, heads, queries, dim], 1);
  const k = f("k", [batch, heads, keys, dim], 5000);
  const v = f("v", [batch, heads, keys, dim], 9000);
  const ct = f("ct", [batch, heads, queries, dim], 13000);
  const bias = c.bias && f("bias", [...c.bias, queries, keys], 17000);
  if (c.padding)
    env["padding"] = fill(batch * keys, (i) => Number(i % keys < (c.padding?.[Math.floor(i / keys)] as number) * keys));
  if (c.segments)
    env["segments"] = fill(batch * queries, (i) => c.segments?.(Math.floor(i / queries), i % queries) as number);
  if (c.dropout) env["key"] = c.rowKeys ? [7, 3, 4_000_000_000, 5] : [7, 3];
  const options: AttentionOptions = {
    ...(c.causal && { causal: true }),
    ...(c.window !== undefined && { window: c.window }),
    ...(c.softcap !== undefined && { softcap: c.softcap }),
    ...(c.scale !== undefined && { scale: c.scale }),
    ...(c.padding && { keyPadding: g.input("padding", "bool", [batch, keys]) }),
    ...(c.segments && { segments: g.input("segments", "i32", [batch, queries]) }),
    ...(bias && { bias }),
    ...(c.dropout && {
      dropout: { rate: c.dropout, stream: 11, key: g.input("key", "u32", c.rowKeys ? [2, 2] : [2]) },
    }),
  };
  const out = attention(q, k, v, options);
  const roots = [out, ...grad(out.mul(ct).sum(), [q, k, v, ...(bias ? [bias] : [])])];
  return { roots: f16 ? rewrite(roots, castPolicyRules("f16"), "f16").roots : roots, env };
}

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, what: string): void {
  expect(got.length).toBe(want.length);
  // A sum that cancels to 0 is only as exact as its terms, which are near 1.
  let worst = 0;
  let at = 0;
  let most = 0.1;
  for (let i = 0; i < want.length; i++) {
    const off = Math.abs((got[i] as number) - (want[i] as number));
    most = Math.max(most, Math.abs(want[i] as number) > 1e29 ? 0 : Math.abs(want[i] as number));
    if (!(off <= worst) && !(Math.abs(want[i] as number) > 1e29 && off < 1e24)) [worst, at] = [off, i];
  }
  expect(worst / most, `${what}: element ${at}: ${got[at]} for ${want[at]}`).toBeLessThan(tolerance);
}

const packed = (_: number, i: number): number => Math.floor(Math.sqrt(i * 3));
const mixed = (b: number, i: number): number => ((i * 7 + b) % 5) - 2;

/** Sizes of heads, each with its own length. */
const heads: readonly (readonly [dim: number, length: number])[] = [
  [1, 1],
  [4, 7],
  [16, 64],
  [20, 33],
  [24, 100],
  [32, 33],
  [64, 40],
  [80, 33],
  [128, 33],
];

const cases: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    heads.map(([dim, length]) => [`heads of ${dim}, length ${length}`, { size: [1, 2, length, length, dim] }]),
  ),
  "fewer queries than keys": { size: [1, 2, 20, 70, 16] },
  "causal, more queries than keys": { size: [1, 1, 80, 40, 16], causal: true },
  "window of 5": { size: [1, 1, 200, 200, 8], window: 5 },
  "window of 0": { size: [1, 1, 40, 40, 8], window: 0 },
  "causal window": { size: [1, 1, 150, 150, 8], causal: true, window: 40 },
  "window past the keys: blind queries": { size: [1, 2, 100, 20, 8], window: 30 },
  softcap: { size: [1, 1, 33, 33, 16], softcap: 0.5, scale: 1 },
  "key padding, of a whole row too": { size: [3, 1, 70, 100, 16], padding: [0.4, 0, 1] },
  "packed segments": { size: [2, 1, 150, 150, 16], segments: packed },
  "mixed segments": { size: [2, 2, 64, 64, 8], segments: mixed },
  "segments at the ends of i32": {
    size: [1, 1, 40, 40, 8],
    segments: (_, i) => (i % 3 === 0 ? -2147483648 : i % 3 === 1 ? 2147483647 : 0),
  },
  "segments and padding that leave some blind": { size: [2, 1, 100, 100, 12], segments: packed, padding: [0.3, 0] },
  "bias with segments": { size: [2, 2, 50, 50, 8], bias: [2, 2], segments: packed },
  "bias over batch": { size: [2, 2, 33, 40, 16], bias: [1, 2] },
  "bias over heads": { size: [2, 2, 33, 33, 16], bias: [2, 1] },
  "bias over both, causal window": { size: [2, 3, 100, 100, 8], bias: [1, 1], causal: true, window: 20 },
  "dropout of an odd count": { size: [1, 1, 37, 41, 16], dropout: 0.5 },
  "dropout by row": { size: [2, 3, 37, 41, 16], dropout: 0.5, rowKeys: true },
  "dropout by row, packed, with bias": {
    size: [2, 2, 70, 70, 8],
    dropout: 0.3,
    rowKeys: true,
    segments: packed,
    bias: [1, 2],
  },
  "dropout of blind rows": { size: [2, 1, 37, 41, 16], dropout: 0.3, padding: [0, 0.5] },
  everything: {
    size: [2, 2, 100, 100, 20],
    scale: 0.6,
    causal: true,
    window: 50,
    softcap: 2,
    padding: [0.7, 0],
    segments: packed,
    bias: [1, 2],
    dropout: 0.2,
  },
};

/**
 * Compares every flash node of the case with the interpreter, on the interpreter's own args. Also compares the program
 * after the rules with the program before them.
 */
async function check(l: Lab, c: Case, f16: boolean, vec4: boolean): Promise<void> {
  const { roots, env } = build(c, f16);
  const rules = attentionRules(l.profile);
  const { roots: after } = rewrite(roots, rules, "attention");
  const nodes = order(after).filter(isFlash);
  const before = interpret(roots, env);
  expect(new Set(nodes.map((x) => x.attrs.composite.name))).toEqual(
    new Set(["flashForward", "flashGradQ", "flashGradKV", ...(c.bias ? ["flashGradBias"] : [])]),
  );
  interpret(after, env).forEach((value, i) =>
    expectClose(value.data, before[i]?.data as ArrayLike<number>, f16 ? 5e-3 : 1e-5, `rules, root ${i}`),
  );
  for (const node of nodes.filter((x, i) => nodes.findIndex((y) => y.attrs.composite === x.attrs.composite) === i)) {
    const { composite, params } = node.attrs;
    const outputs = node.graph.call(composite, node.args, params);
    const values = interpret([...outputs, ...node.args], env);
    const ready = await prepare(
      l,
      node,
      outputs,
      values.slice(outputs.length).map((x) => x.data),
      vec4,
    );
    await ready.run();
    (await ready.read()).forEach((got, i) =>
      expectClose(got, values[i]?.data as ArrayLike<number>, f16 ? 5e-3 : 2e-5, `${ready.part.name}, output ${i}`),
    );
  }
}

const reason = isNotHere(opened) ? opened.reason : undefined;

// allow skip: this machine has no adapter, and says why
describe.skipIf(reason !== undefined)(`kernels (${reason ?? "here"})`, () => {
  const lab = opened as OpenDevice;
  const profile = isNotHere(opened) ? baseProfile : opened.profile;
  // The limits that every device has give small tiles, which software adapters compile in a second.
  const limits = { ...profile.limits, sharedBytes: 16384, invocations: 256 };
  const floor: Lab = { ...lab, profile: { ...profile, limits, subgroupMatrix: [] } };
  const only = (...names: readonly string[]): readonly (readonly [string, Case])[] =>
    Object.entries(cases).filter(([name]) => names.some((n) => name.startsWith(n)));
  const tiny: Lab = { ...floor, profile: { ...floor.profile, limits: { ...limits, sharedBytes: 8192 } } };
  it.each(Object.entries(cases))("%s", (name, c) =>
    check(c.size[4] > 40 ? floor : tiny, c, false, name.length % 2 === 0),
  );

  it.each(only("heads of 64", "segments and padding"))("%s, all the memory there is", (_, c) =>
    check({ ...floor, profile: { ...floor.profile, limits: profile.limits } }, c, false, true),
  );
  it.each(only("heads of 24"))("%s, loops unrolled", (_, c) =>
    check({ ...tiny, profile: { ...tiny.profile, family: "unknown" } }, c, false, true),
  );
  // allow skip: the adapter has no f16
  it.skipIf(!profile.f16).each(only("heads of 20", "heads of 64", "segments and padding"))("%s in f16", (_, c) =>
    check(c.size[4] > 40 ? floor : tiny, c, true, true),
  );

  // Emulated matrix units of 8 x 8 x 8, on subgroups of 8. They show that every matrix is loaded from the right place
  // and stored in the right place.
  const matrices: Lab = {
    ...lab,
    rewrite: emulateMatrices,
    profile: { ...floor.profile, subgroupMatrix: [{ component: "f16", result: "f32", m: 8, n: 8, k: 8 }] },
  };
  const subgroupsOf8 = profile.f16 && profile.subgroups?.min === 8 && profile.subgroups.max === 8;
  // allow skip: the adapter has no subgroups of 8
  it.skipIf(!subgroupsOf8).each(only("segments and padding"))("%s by matrices", (_, c) =>
    check(matrices, c, true, true),
  );
});
