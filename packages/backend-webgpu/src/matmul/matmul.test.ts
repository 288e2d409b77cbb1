import { create } from "webgpu";
import { describe, expect, test, vi } from "vitest";
import { onDevice } from "../../test/adapter.ts";
import type { MatmulSpec } from "../matmul-spec.ts";
import { baseProfile, type Profile } from "../profile.ts";
import { matmulPart, defaultTile, tileCandidates, tileName, type Tile } from "./index.ts";
import { halfBits, operandBuffer, plainMatmul, preparePart, readFloats, runOnce, type PlainSizes } from "./run-part.ts";

// Software adapters take about a second to compile a kernel.
vi.setConfig({ testTimeout: 180_000 });

const plain = {
  batch: 1,
  m: 8,
  n: 8,
  k: 8,
  transposeA: false,
  transposeB: false,
  element: "f32",
  problems: 1,
  terms: 1,
  rowSums: false,
} as const;
const one = (sizes: Partial<PlainSizes>): MatmulSpec => plainMatmul({ ...plain, ...sizes }).spec;
const h: Profile = {
  ...baseProfile,
  family: "nvidia",
  f16: true,
  subgroups: { min: 32, max: 32 },
  limits: { ...baseProfile.limits, sharedBytes: 48 * 2 ** 10 },
  subgroupMatrix: [
    { component: "f16", result: "f32", m: 16, n: 16, k: 16 },
    { component: "f16", result: "f16", m: 16, n: 16, k: 16 },
  ],
};
const lavapipe: Profile = { ...baseProfile, family: "software", f16: true, subgroups: { min: 8, max: 8 } };

describe("text", () => {
  test("a register tile: A handed round by lanes, a tail of k, no check where nothing is past an edge", () => {
    const part = matmulPart(
      one({ n: 32, k: 5 }),
      { kind: "register", rows: 8, columns: 4, lanes: 8, splits: 1 },
      lavapipe,
    );
    expect(part).toMatchObject({
      name: "matmul NN register 8x32x4",
      enables: ["subgroups"],
      uses: ["load_a0_0", "load4_b0_0", "store4_0"],
      grid: [1, 1, 1],
      flops: 2 * 8 * 32 * 5,
    });
    const lines = part.body.split("\n");
    expect(lines.slice(0, 2).join("\n")).toMatchInlineSnapshot(`
      "fn mmA0_0(b: u32, i: u32, j: u32) -> vec4<f32> { return vec4<f32>(load_a0_0(b, i, min(j, 4u)), load_a0_0(b, i, min(j + 1u, 4u)), load_a0_0(b, i, min(j + 2u, 4u)), load_a0_0(b, i, min(j + 3u, 4u))); }
      fn mmB0_0(b: u32, i: u32, j: u32) -> vec4<f32> { return load4_b0_0(b, min(i, 4u), j); }"
    `);
    expect(lines.filter((l) => /^(for|let k|let a0|let b0|let x1_0|c1_0|\{|store)/.test(l)).join("\n"))
      .toMatchInlineSnapshot(`
      "for (var k = 0u; k < 4u * once; k += 4u) {
      let a0 = vec4<f32>(mmA0_0(b, row0 + 0u + lane, k));
      let b0_0 = vec4<f32>(mmB0_0(b, k + 0u, col + 0u));
      let x1_0 = subgroupBroadcast(a0[0], 1u);
      c1_0 = fma(vec4<f32>(x1_0), b0_0, c1_0);
      c1_0 = fma(vec4<f32>(x1_1), b1_0, c1_0);
      c1_0 = fma(vec4<f32>(x1_2), b2_0, c1_0);
      c1_0 = fma(vec4<f32>(x1_3), b3_0, c1_0);
      {
      let k = 4u;
      let a0 = vec4<f32>(mmA0_0(b, row0 + 0u + lane, k));
      let b0_0 = vec4<f32>(mmB0_0(b, k + 0u, col + 0u));
      let x1_0 = subgroupBroadcast(a0[0], 1u);
      c1_0 = fma(vec4<f32>(x1_0), b0_0, c1_0);
      for (var r = 0u; r < 8u * once; r++) {
      store4_0(part, row0 + r, col + 0u, v0);"
    `);
  });

  test("a shared tile: NT is staged along k and padded, TN along m; only what is past an edge is checked", () => {
    const tile: Tile = { kind: "shared", m: 16, n: 16, k: 8, rows: 4, columns: 4, prefetch: false, splits: 1 };
    expect(
      matmulPart(one({ m: 16, n: 20, k: 8, transposeB: true }), tile, baseProfile)
        .body.split("\n")
        .filter((l) => !l.startsWith("c"))
        .join("\n"),
    ).toMatchInlineSnapshot(`
      "var<workgroup> mmStageA: array<vec4<f32>, 48>;
      var<workgroup> mmStageB: array<vec4<f32>, 48>;
      fn mmA0_0(b: u32, i: u32, j: u32) -> vec4<f32> { return load4_a0_0(b, i, j); }
      fn mmB0_0(b: u32, i: u32, j: u32) -> vec4<f32> { if (i < 20u) { return load4_b0_0(b, i, j); } return vec4<f32>(); }
      fn mmProduct0(li: u32, row0: u32, col0: u32, b: u32, split: u32, part: u32, first: bool) {
      let tx = li % 4u;
      let ty = li / 4u;
      var c0_0 = vec4<f32>();
      var c1_0 = vec4<f32>();
      var c2_0 = vec4<f32>();
      var c3_0 = vec4<f32>();
      var fa0 = vec4<f32>();
      var fa1 = vec4<f32>();
      var fb0 = vec4<f32>();
      var fb1 = vec4<f32>();
      for (var k0 = 0u; k0 < 8u; k0 += 8u) {
      let k = k0;
      fa0 = mmA0_0(b, row0 + li / 2u, k + li % 2u * 4u);
      fa1 = mmA0_0(b, row0 + (li + 16u) / 2u, k + (li + 16u) % 2u * 4u);
      fb0 = mmB0_0(b, col0 + li / 2u, k + li % 2u * 4u);
      fb1 = mmB0_0(b, col0 + (li + 16u) / 2u, k + (li + 16u) % 2u * 4u);
      workgroupBarrier();
      mmStageA[(li / 2u % 4u * 4u + li / 2u / 4u) * 3u + li % 2u] = fa0;
      mmStageA[((li + 16u) / 2u % 4u * 4u + (li + 16u) / 2u / 4u) * 3u + (li + 16u) % 2u] = fa1;
      mmStageB[(li / 2u % 4u * 4u + li / 2u / 4u) * 3u + li % 2u] = fb0;
      mmStageB[((li + 16u) / 2u % 4u * 4u + (li + 16u) / 2u / 4u) * 3u + (li + 16u) % 2u] = fb1;
      workgroupBarrier();
      for (var s = 0u; s < 2u; s++) {
      let a0 = mmStageA[(0u + ty) * 3u + s];
      let a1 = mmStageA[(4u + ty) * 3u + s];
      let a2 = mmStageA[(8u + ty) * 3u + s];
      let a3 = mmStageA[(12u + ty) * 3u + s];
      let b0 = mmStageB[(0u + tx) * 3u + s];
      let b1 = mmStageB[(4u + tx) * 3u + s];
      let b2 = mmStageB[(8u + tx) * 3u + s];
      let b3 = mmStageB[(12u + tx) * 3u + s];
      let w0_0 = vec4<f32>(b0[0], b1[0], b2[0], b3[0]);
      let w1_0 = vec4<f32>(b0[1], b1[1], b2[1], b3[1]);
      let w2_0 = vec4<f32>(b0[2], b1[2], b2[2], b3[2]);
      let w3_0 = vec4<f32>(b0[3], b1[3], b2[3], b3[3]);
      }
      }
      if (col0 + tx * 4u + 0u < 20u) { store4_0(part, row0 + ty * 4u + 0u, col0 + tx * 4u + 0u, c0_0); }
      if (col0 + tx * 4u + 0u < 20u) { store4_0(part, row0 + ty * 4u + 1u, col0 + tx * 4u + 0u, c1_0); }
      if (col0 + tx * 4u + 0u < 20u) { store4_0(part, row0 + ty * 4u + 2u, col0 + tx * 4u + 0u, c2_0); }
      if (col0 + tx * 4u + 0u < 20u) { store4_0(part, row0 + ty * 4u + 3u, col0 + tx * 4u + 0u, c3_0); }
      }
      @compute @workgroup_size(16) fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(local_invocation_index) li: u32) {
      let id = w.x;
      let col0 = id % 2u * 16u;
      let row0 = id / 2u % 1u * 16u;
      let b = id / 2u % 1u;
      let split = id / 2u % 1u;
      mmProduct0(li, row0, col0, b, split, split * 1u + b, col0 == 0u);
      }"
    `);
    expect(
      matmulPart(one({ m: 16, n: 16, k: 9, transposeA: true, rowSums: true }), tile, baseProfile)
        .body.split("\n")
        .filter((l) => /mm(A0|Stage)|sum/.test(l))
        .join("\n"),
    ).toMatchInlineSnapshot(`
      "var<workgroup> mmStageA: array<vec4<f32>, 32>;
      var<workgroup> mmStageB: array<vec4<f32>, 32>;
      fn mmA0_0(b: u32, i: u32, j: u32) -> vec4<f32> { if (i < 9u) { return load4_a0_0(b, i, j); } return vec4<f32>(); }
      var sum0 = 0f;
      fa0 = mmA0_0(b, k + li / 4u, row0 + li % 4u * 4u);
      fa1 = mmA0_0(b, k + (li + 16u) / 4u, row0 + (li + 16u) % 4u * 4u);
      mmStageA[li] = fa0;
      mmStageA[(li + 16u)] = fa1;
      mmStageB[li] = fb0;
      mmStageB[(li + 16u)] = fb1;
      let a0_0 = mmStageA[(s * 4u + 0u) * 4u + 0u + ty];
      let a1_0 = mmStageA[(s * 4u + 1u) * 4u + 0u + ty];
      let a2_0 = mmStageA[(s * 4u + 2u) * 4u + 0u + ty];
      let a3_0 = mmStageA[(s * 4u + 3u) * 4u + 0u + ty];
      let b0_0 = mmStageB[(s * 4u + 0u) * 4u + 0u + tx];
      let b1_0 = mmStageB[(s * 4u + 1u) * 4u + 0u + tx];
      let b2_0 = mmStageB[(s * 4u + 2u) * 4u + 0u + tx];
      let b3_0 = mmStageB[(s * 4u + 3u) * 4u + 0u + tx];
      for (var s = 0u; s < 8u; s++) { sum0 += f32(mmStageA[s * 4u + (li + 0u) / 4u][(li + 0u) % 4u]); }
      if (first) { storeSum0(part, row0 + li + 0u, sum0); }"
    `);
  });

  test("several problems are told apart by the workgroup; a grid past the limit is folded and its rest ends at once", () => {
    const few = { ...baseProfile, limits: { ...baseProfile.limits, workgroups: 10 } };
    const part = matmulPart(
      one({ m: 64, n: 64, batch: 3, problems: 2, terms: 2 }),
      { kind: "shared", m: 32, n: 32, k: 8, rows: 4, columns: 4, prefetch: true, splits: 2 },
      few,
    );
    expect(part.grid).toEqual([10, 5, 1]);
    expect(part.flops).toBe(2 * 64 * 64 * 8 * 3 * 4);
    expect(part.uses).toEqual([
      "load4_a0_0",
      "load4_b0_0",
      "load4_a0_1",
      "load4_b0_1",
      "load4_a1_0",
      "load4_b1_0",
      "load4_a1_1",
      "load4_b1_1",
      "store4_0",
      "store4_1",
    ]);
    expect(part.body.slice(part.body.indexOf("@compute"))).toMatchInlineSnapshot(`
      "@compute @workgroup_size(64) fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(local_invocation_index) li: u32) {
      let id = w.x + w.y * 10u;
      if (id >= 48u) { return; }
      let col0 = id % 2u * 32u;
      let row0 = id / 2u % 2u * 32u;
      let b = id / 4u % 3u;
      let split = id / 12u % 2u;
      switch id / 24u {
      default: { mmProduct0(li, row0, col0, b, split, split * 3u + b, col0 == 0u); }
      case 1u: { mmProduct1(li, row0, col0, b, split, split * 3u + b, col0 == 0u); }
      }
      }"
    `);
  });
});

describe("choice", () => {
  const name = (sizes: Partial<PlainSizes>, profile: Profile): string => tileName(defaultTile(one(sizes), profile));

  test("large products take large tiles, small ones tiles that fill the device, long sums over few results are split", () => {
    expect(name({ m: 8192, n: 1024, k: 256 }, h)).toBe("shared 128x128x16");
    expect(name({ m: 8192, n: 1024, k: 256, element: "f16" }, h)).toBe("subgroup-matrix 128x128x32");
    expect(name({ m: 512, n: 128, k: 128 }, h)).toBe("shared 32x32x16");
    expect(name({ m: 256, n: 256, k: 16384, transposeA: true }, h)).toBe("shared 128x128x16 split 64");
    expect(name({ m: 1024, n: 256, k: 256 }, lavapipe)).toBe("register 16x32x4");
    expect(name({ m: 8192, n: 1024, k: 256 }, { ...lavapipe, subgroups: undefined })).toBe("register 8x32x4");
  });

  test("no candidate is past the device's limits, for any family", () => {
    for (const family of ["nvidia", "amd", "intel", "apple", "mobile", "unknown", "software"] as const) {
      for (const transposeB of [false, true])
        for (const element of ["f32", "f16"] as const) {
          const profile = { ...h, family, limits: baseProfile.limits };
          const tiles = tileCandidates(one({ m: 500, n: 500, k: 500, transposeB, element }), profile);
          expect(tiles.length).toBeGreaterThan(1);
          expect(new Set(tiles.map((t) => JSON.stringify(t))).size).toBe(tiles.length);
          for (const tile of tiles) {
            const { body } = matmulPart(one({ m: 500, n: 500, k: 500, transposeB, element }), tile, profile);
            expect(sharedBytesOf(body)).toBeLessThanOrEqual(profile.limits.sharedBytes);
            expect(Number(/@workgroup_size\((\d+)\)/.exec(body)?.[1])).toBeLessThanOrEqual(256);
          }
        }
    }
  });
});

function sharedBytesOf(body: string): number {
  const bytes: { readonly [type: string]: number } = { f16: 2, f32: 4, "vec4<f16>": 8, "vec4<f32>": 16 };
  return [...body.matchAll(/var<workgroup> \w+: array<(.*), (\d+)>;/g)].reduce(
    (sum, [, type, size]) => sum + (bytes[type ?? ""] ?? Number.NaN) * Number(size),
    0,
  );
}

/** A small generator of pseudo-random numbers, so that the cases are the same everywhere. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Runs a tile over random operands. Returns the largest error, as a share of the error that rounding can cause. */
async function worst(
  device: GPUDevice,
  profile: Profile,
  sizes: PlainSizes,
  tile: Tile,
  next: (below: number) => number,
): Promise<number> {
  const { batch, m, n, k, transposeA, transposeB, terms } = sizes;
  const p = plainMatmul(sizes);
  const data = Float32Array.from({ length: p.operands }, () => (next(129) - 64) / 64);
  const operands = operandBuffer(device, sizes.element === "f16" ? Uint16Array.from(data, halfBits) : data);
  device.pushErrorScope("validation");
  const run = await preparePart(device, p, matmulPart(p.spec, tile, profile), tile.splits, operands);
  // NaN everywhere, so that an element without a store shows.
  device.queue.writeBuffer(run.results, 0, new Float32Array(run.results.size / 4).fill(Number.NaN));
  runOnce(device, run);
  const results = await readFloats(device, run.results);
  const sums = run.sums && (await readFloats(device, run.sums));
  const failed = await device.popErrorScope();
  if (failed !== null) throw new Error(failed.message);
  run.destroy();
  operands.destroy();
  let most = 0;
  const at = (side: "a" | "b", i: number, t: number, index: number): number =>
    data[p.operandAt(side, i, t) + index] ?? Number.NaN;
  for (let i = 0; i < sizes.problems; i++)
    for (let b = 0; b < batch; b++)
      for (let row = 0; row < m; row++) {
        const a = (t: number, x: number): number => at("a", i, t, b * m * k + (transposeA ? x * m + row : row * k + x));
        const got = (from: Float32Array, size: number, index: number): number => {
          let sum = 0;
          for (let s = 0; s < tile.splits; s++) sum += from[(i * tile.splits + s) * size + index] ?? Number.NaN;
          return sum;
        };
        const off = (x: number, want: number): number =>
          Number.isNaN(x) ? Infinity : Math.abs(x - want) / (1e-6 * k * terms + 1e-6);
        for (let column = 0; column < n; column++) {
          let want = 0;
          for (let t = 0; t < terms; t++)
            for (let x = 0; x < k; x++)
              want += a(t, x) * at("b", i, t, b * k * n + (transposeB ? column * k + x : x * n + column));
          most = Math.max(most, off(got(results, p.result, (b * m + row) * n + column), want));
        }
        if (sums !== undefined) {
          let want = 0;
          for (let x = 0; x < k; x++) want += a(0, x);
          most = Math.max(most, off(got(sums, p.sums, b * m + row), want));
        }
      }
  return most;
}

describe("values", () => {
  const kinds = (profile: Profile): readonly Tile[] => {
    const { subgroups } = profile;
    const lanes =
      subgroups !== undefined && subgroups.min === subgroups.max && subgroups.min <= 8 ? subgroups.min : undefined;
    return [
      ...(lanes === undefined
        ? []
        : ([
            { kind: "register", rows: lanes, columns: 4, lanes, splits: 1 },
            { kind: "register", rows: 2 * lanes, columns: 4, lanes, splits: 1 },
          ] as const)),
      { kind: "register", rows: 4, columns: 4, lanes: 1, splits: 1 },
      { kind: "shared", m: 16, n: 16, k: 8, rows: 4, columns: 4, prefetch: false, splits: 1 },
      { kind: "shared", m: 16, n: 32, k: 16, rows: 4, columns: 8, prefetch: true, splits: 1 },
    ];
  };
  const size = (next: (below: number) => number): number => (next(2) === 0 ? 4 * (1 + next(17)) : 1 + next(70));

  for (const [seed, cases] of [
    [1, 10],
    [2, 10],
  ] as const) {
    onDevice(
      `every tile agrees with a plain product, random sizes and layouts, seed ${seed}`,
      async ({ device, profile }) => {
        const next = generator(seed);
        const tiles = kinds(profile);
        for (let c = 0; c < cases; c++) {
          const sizes: PlainSizes = {
            batch: 1 + next(3),
            m: size(next),
            n: size(next),
            k: size(next),
            transposeA: next(2) === 0,
            transposeB: next(2) === 0,
            element: profile.f16 && next(3) === 0 ? "f16" : "f32",
            ...((
              [
                { problems: 1, terms: 1 },
                { problems: 2, terms: 1 },
                { problems: 1, terms: 2 },
              ] as const
            )[c % 3] ?? { problems: 1, terms: 1 }),
            rowSums: next(2) === 0,
          };
          const kind = tiles[c % tiles.length];
          if (kind === undefined) throw new Error("no tiles");
          const tile = { ...kind, splits: 1 + next(3) };
          const error = await worst(device, profile, sizes, tile, next);
          expect(error, `${JSON.stringify(sizes)} ${JSON.stringify(tile)}`).toBeLessThan(1);
        }
      },
      { f16: true },
    );
  }

  onDevice("more workgroups than one axis of a grid holds", async ({ device, profile }) => {
    const tile = kinds(profile)[0];
    if (tile === undefined) throw new Error("no tiles");
    const error = await worst(
      device,
      { ...profile, limits: { ...profile.limits, workgroups: 7 } },
      { ...plain, batch: 5, m: 30, n: 40, k: 12 },
      tile,
      generator(4),
    );
    expect(error).toBeLessThan(1);
  });
});

describe("matrix units", () => {
  // Dawn's null backend runs nothing but checks text as the other backends do. Its largest subgroup is 128, which
  // divides 8 x 32 invocations.
  test("Dawn accepts the text, in every layout and at edges", async (context) => {
    const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
    // The process crashes when an instance of Dawn is collected, so this one stays for the life of the process.
    Object.assign(globalThis, { clozeNullGpu: gpu });
    const adapter = await gpu.requestAdapter();
    const feature = "chromium-experimental-subgroup-matrix" as GPUFeatureName;
    if (adapter === null || !adapter.features.has(feature))
      return context.skip("Dawn's null backend has no subgroup matrices here"); // allow skip: says why
    const device = await adapter.requestDevice({
      requiredFeatures: [feature, "subgroups", "shader-f16"],
      requiredLimits: { maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize },
    });
    for (const layout of [0, 1, 2, 3]) {
      const sizes: PlainSizes = {
        ...plain,
        element: "f16",
        batch: 2,
        m: 260,
        n: layout % 2 === 0 ? 256 : 130,
        k: 70 + layout,
        transposeA: layout > 1,
        transposeB: layout % 2 === 1,
        problems: 2,
        terms: 2,
        rowSums: true,
      };
      const p = plainMatmul(sizes);
      const tiles = tileCandidates(p.spec, {
        ...h,
        limits: { ...h.limits, sharedBytes: adapter.limits.maxComputeWorkgroupStorageSize },
      }).filter((t) => t.kind === "subgroup-matrix" && (t.subgroups[0] * t.subgroups[1] * t.lanes) % 128 === 0);
      expect(tiles.length).toBeGreaterThan(1);
      for (const tile of tiles) {
        device.pushErrorScope("validation");
        const module = device.createShaderModule({
          code: p.wgsl(matmulPart(p.spec, { ...tile, splits: 1 + layout }, h), 1 + layout),
        });
        await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
        const { messages } = await module.getCompilationInfo();
        expect(messages.map((m) => m.message)).toEqual([]);
        expect((await device.popErrorScope())?.message).toBeUndefined();
      }
    }
    device.destroy();
  });
});
