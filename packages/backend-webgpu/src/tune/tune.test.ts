import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { onDevice } from "../../test/adapter.ts";
import type { Tile } from "../matmul/index.ts";
import { plainMatmul, type PlainSizes } from "../matmul/run-part.ts";
import type { MatmulSpec } from "../matmul-spec.ts";
import { baseProfile, type Profile } from "../profile.ts";
import { cacheFolder, diskCache } from "./disk-cache.ts";
import { memoryCache, shapeClass, tileKey, tunedTile, tuneMatmul } from "./index.ts";
import { fitting } from "./measure.ts";
import { isTile } from "./tile-cache.ts";

// Software adapters take about a second to compile a kernel.
vi.setConfig({ testTimeout: 180_000 });

const words = { vendor: "mesa", architecture: "", device: "llvmpipe", description: "Mesa 25.0" };
const plain: PlainSizes = {
  batch: 1,
  m: 64,
  n: 64,
  k: 64,
  transposeA: false,
  transposeB: false,
  element: "f32",
  problems: 1,
  terms: 1,
  rowSums: false,
};
const spec = (sizes: Partial<PlainSizes> = {}): MatmulSpec => plainMatmul({ ...plain, ...sizes }).spec;
const lavapipe: Profile = { ...baseProfile, family: "software", subgroups: { min: 8, max: 8 } };
const register: Tile = { kind: "register", rows: 16, columns: 4, lanes: 8, splits: 1 };

test("a class keeps what changes the kernel and rounds sizes up to powers of two", () => {
  expect(shapeClass(spec({ m: 1000, n: 256, k: 257, transposeB: true, problems: 3, batch: 5 }))).toBe(
    "NT f32 b8 m1024 n256 k512 p3 t1",
  );
  expect(shapeClass(spec({ element: "f16", transposeA: true, terms: 2, rowSums: true }))).toBe(
    "TN f16 b1 m64 n64 k64 p1 t2 sums",
  );
  expect(tileKey(words, spec())).toBe("v1|mesa||llvmpipe|Mesa 25.0|NN f32 b1 m64 n64 k64 p1 t1");
});

test("measurements are of sizes that fit the device", () => {
  expect(fitting({ ...plain, m: 8192, n: 30522, k: 768 }, 1, 128 * 2 ** 20)).toMatchObject({
    m: 4096,
    n: 7631,
    k: 768,
  });
  expect(fitting(plain, 4, 128 * 2 ** 20)).toEqual(plain);
});

test("plain data is a tile only if templates take it", () => {
  const shared = { kind: "shared", m: 64, n: 64, k: 16, rows: 4, columns: 4, prefetch: true, splits: 2 };
  for (const good of [
    register,
    shared,
    { kind: "subgroup-matrix", matrix: [16, 16, 16], matrices: [2, 2], subgroups: [2, 2], k: 32, lanes: 32, splits: 1 },
  ])
    expect(isTile(good)).toBe(true);
  for (const bad of [
    null,
    3,
    {},
    { ...register, rows: 12 },
    { ...register, splits: 0 },
    { ...shared, m: 66 },
    { ...shared, k: 6 },
    { ...shared, kind: "other" },
    { ...shared, prefetch: undefined },
  ])
    expect(isTile(bad)).toBe(false);
});

test("a stored tile that this device does not take is not used", async () => {
  const cache = memoryCache();
  const large = spec({ m: 128, n: 128, k: 128 });
  await cache.set(tileKey(words, large), { ...register, lanes: 4 });
  expect(await tunedTile(words, lavapipe, large, cache)).toBeUndefined();
  await cache.set(tileKey(words, large), register);
  expect(await tunedTile(words, lavapipe, large, cache)).toEqual(register);
  expect(await tunedTile({ ...words, description: "Mesa 25.1" }, lavapipe, large, cache)).toBeUndefined();
});

describe("on disk", () => {
  const inFolder = (name: string, body: (folder: string) => Promise<void>): void => {
    test(name, async () => {
      const folder = await mkdtemp(join(tmpdir(), "tiles-"));
      try {
        await body(folder);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  };

  inFolder("tiles outlive the program; all of several writes are kept; devices do not share a file", async (folder) => {
    const inner = join(folder, "new");
    const cache = diskCache(words, { folder: inner });
    expect(await cache.get("a")).toBeUndefined();
    await Promise.all([cache.set("a", register), cache.set("b", { ...register, rows: 8 })]);
    const again = diskCache(words, { folder: inner });
    expect([await again.get("a"), await again.get("b")]).toEqual([register, { ...register, rows: 8 }]);
    expect(await diskCache({ ...words, description: "Mesa 26.0" }, { folder: inner }).get("a")).toBeUndefined();
    expect(await readdir(inner)).toHaveLength(1);
  });

  inFolder("a damaged or foreign file is told, not used, and replaced", async (folder) => {
    await diskCache(words, { folder }).set("a", register);
    const [name = ""] = await readdir(folder);
    const file = join(folder, name);
    const text = await readFile(file, "utf8");
    for (const [content, why] of [
      [text.slice(0, 40), "expected JSON, got a damaged file"],
      ["null", 'expected format "cloze matmul tiles", got undefined'],
      [text.replace("llvmpipe", "other"), 'got those of "v1|mesa||other|Mesa 25.0"'],
      [text.replace('"rows": 16', '"rows": 3'), 'expected a tile for "a"'],
    ] as const) {
      await writeFile(file, content);
      const heard: string[] = [];
      const cache = diskCache(words, { folder, report: (reason) => heard.push(reason) });
      expect(await cache.get("a")).toBeUndefined();
      expect(heard).toHaveLength(1);
      expect(heard[0]).toContain(why);
      await cache.set("b", register);
      expect(await diskCache(words, { folder }).get("b")).toEqual(register);
    }
  });

  test("the folder is the system's", () => {
    expect(cacheFolder("linux", {}, "/me")).toBe(join("/me", ".cache", "cloze", "webgpu"));
    expect(cacheFolder("linux", { XDG_CACHE_HOME: "/c" }, "/me")).toBe(join("/c", "cloze", "webgpu"));
    expect(cacheFolder("darwin", {}, "/me")).toBe(join("/me", "Library", "Caches", "cloze", "webgpu"));
    expect(cacheFolder("win32", { LOCALAPPDATA: "/l" }, "/u")).toBe(join("/l", "cloze", "webgpu"));
  });
});

for (const timestamps of [true, false]) {
  onDevice(
    `the fastest right tile is chosen and stored; a wrong one never (${timestamps ? "device clock" : "wall clock"})`,
    async ({ device, profile }) => {
      const cache = memoryCache();
      const splits = 2;
      // With twice the lanes of a subgroup, half of A is never loaded. The tile is small, so it is fast.
      const wrong: Tile = {
        kind: "register",
        rows: 2 * (profile.subgroups?.max ?? 8),
        columns: 4,
        lanes: 2 * (profile.subgroups?.max ?? 8),
        splits: 1,
      };
      const refused: Tile = { kind: "shared", m: 512, n: 512, k: 16, rows: 4, columns: 4, prefetch: false, splits: 1 };
      const right: Tile = { kind: "register", rows: 4, columns: 4, lanes: 1, splits: 1 };
      const specs = [spec({ m: 40 }), spec({ m: 41 })];
      const candidates = (): readonly [Tile, ...Tile[]] => [
        right,
        { ...right, splits },
        ...(profile.subgroups === undefined ? [] : [wrong]),
        refused,
      ];
      const [one, ...more] = await tuneMatmul(device, profile, specs, cache, { candidates, budgetMs: 170_000 });
      expect(more).toEqual([]);
      expect(one).toMatchObject({ from: "measured", key: tileKey(device.adapterInfo, spec({ m: 40 })) });
      expect(one?.tried.map((t) => t.refused?.replace(/(workgroup|off by).*/s, "$1"))).toEqual([
        undefined,
        undefined,
        ...(profile.subgroups === undefined ? [] : ["its result is off by"]),
        expect.stringContaining("shared 512x512x16"),
      ]);
      const times = one?.tried.slice(0, 2) ?? [];
      expect(one?.tile).toEqual((times[0]?.ms ?? 0) <= (times[1]?.ms ?? 0) ? right : { ...right, splits });
      expect(await cache.get(one?.key ?? "")).toEqual(one?.tile);
    },
    { f16: false, timestamps },
  );
}

onDevice("without time nothing is measured or stored", async ({ device, profile }) => {
  const cache = memoryCache();
  const results = await tuneMatmul(device, profile, [spec()], cache, { budgetMs: 0 });
  expect(results).toMatchObject([{ from: "default", tried: [] }]);
  expect(await cache.get(results[0]?.key ?? "")).toBeUndefined();
});
