import { afterAll, describe, expect, it } from "vitest";
import { baseProfile } from "../profile.ts";
import { denseParts } from "./dense.ts";
import { scatterParts, type ScatterParts, type ScatterSpec } from "./scatter.ts";
import { sortedParts } from "./sorted.ts";
import { deviceForTests } from "../../test/adapter.ts";
import { isNotHere } from "../runtime/gpu.ts";
import { runnerOf, specOf, type Numbers } from "./test/run.ts";
import type { Profile } from "../profile.ts";

const proteins = { count: 4096, width: 320, size: 33 };
const words = { count: 4096, width: 768, size: 30522 };
const partsOf = (shape: typeof proteins, profile: Profile = baseProfile): ScatterParts =>
  scatterParts(specOf(shape, "f32", true).spec, profile);

describe("what is made", () => {
  it("few rows are added where they lie, many are sorted", () => {
    expect(partsOf(proteins).parts.map((p) => [p.name, ...p.grid])).toEqual([
      ["scatter dense 128x64", 160, 1, 1],
      ["scatter fold 32", 83, 1, 1],
    ]);
    expect(partsOf(words).parts.map((p) => [p.name, ...p.grid])).toEqual([
      ["scatter sort 256", 16, 1, 1],
      ["scatter merge 16", 271, 1, 1],
      ["scatter blocks", 192, 1, 1],
      ["scatter rows", 45783, 1, 1],
    ]);
  });

  it("one stretch needs no second kernel, a list shorter than a block no blocks", () => {
    expect(partsOf({ count: 60, width: 8, size: 33 })).toMatchObject({
      parts: [{ uses: ["indexAt", "updateAt", "keep"] }],
      scratch: [],
    });
    expect(partsOf({ count: 31, width: 8, size: 999 }).parts.map((p) => p.name)).toEqual([
      "scatter sort 256",
      "scatter merge 1",
      "scatter rows",
    ]);
  });

  it("a grid longer than the device's is folded", () => {
    const small = { ...baseProfile, limits: { ...baseProfile.limits, workgroups: 1000 } };
    for (const part of partsOf(words, small).parts) expect(Math.max(...part.grid)).toBeLessThanOrEqual(1000);
  });

  it("keys stay below 2^32, whatever the number of rows", () => {
    for (const size of [2 ** 20, 2 ** 22, 50368]) {
      const { scratch } = partsOf({ count: 65536, width: 4, size });
      const chunk = Number(partsOf({ count: 65536, width: 4, size }).parts[0]?.name.split(" ")[2]);
      expect((size + 2) * chunk).toBeLessThanOrEqual(2 ** 32);
      expect(scratch.find((s) => s.name === "sorted")?.size).toBe(65536);
    }
  });

  it("text of the scatter onto few rows", () => {
    expect(
      partsOf({ count: 100, width: 8, size: 5 })
        .parts.map((p) => p.body)
        .join("\n"),
    ).toMatchSnapshot();
  });

  it("text of the scatter onto many rows", () => {
    expect(
      partsOf({ count: 600, width: 8, size: 500 })
        .parts.map((p) => p.body)
        .join("\n"),
    ).toMatchSnapshot();
  });
});

const opened = await deviceForTests();
afterAll(() => {
  if (!isNotHere(opened)) opened.close();
});

const f16 = (bits: number): number => {
  const e = (bits >> 10) & 31;
  const f = bits & 1023;
  return (bits >> 15 ? -1 : 1) * (e === 0 ? f * 2 ** -24 : (1 + f / 1024) * 2 ** (e - 15));
};
const noise = (i: number): number => ((Math.imul(i + 1, 0x9e3779b1) >>> 0) % 2001) / 1000 - 1;

/** The sums in f64, and for each sum the sum of the absolute values of its terms. */
function reference(
  spec: ScatterSpec,
  indices: Int32Array,
  updates: Numbers,
): { readonly sums: Float64Array; readonly sizes: Float64Array } {
  const { width, size } = spec;
  const sums = new Float64Array(size * width);
  const sizes = new Float64Array(size * width);
  const at = (i: number): number =>
    updates instanceof Uint16Array ? f16(updates[i] as number) : (updates[i] as number);
  indices.forEach((row, i) => {
    if (row < 0 || row >= size) return;
    for (let j = 0; j < width; j++) {
      sums[row * width + j] = (sums[row * width + j] as number) + at(i * width + j);
      sizes[row * width + j] = (sizes[row * width + j] as number) + Math.abs(at(i * width + j));
    }
  });
  return { sums, sizes };
}

const patterns: { readonly [name: string]: (i: number, size: number) => number } = {
  random: (i, size) => (Math.imul(i + 7, 0x85ebca6b) >>> 8) % size,
  "all the same": (_, size) => size - 1,
  descending: (i, size) => size - 1 - (i % size),
  "an eighth on one row": (i, size) => (i % 8 === 3 ? 1 : (Math.imul(i, 0x9e3779b1) >>> 7) % size),
  "some outside": (i, size) => (i % 5 === 0 ? -1 - i : i % 7 === 0 ? size + i : (i * 31) % size),
};

describe("on the device", () => {
  const ways: readonly (readonly [
    string,
    (spec: ScatterSpec, profile: Profile) => ScatterParts,
    readonly (typeof proteins)[],
  ])[] = [
    [
      "dense",
      denseParts,
      [
        { count: 1, width: 1, size: 1 },
        { count: 613, width: 20, size: 33 },
        { count: 2000, width: 3, size: 120 },
      ],
    ],
    [
      "sorted",
      sortedParts,
      [
        { count: 1, width: 1, size: 1 },
        { count: 613, width: 20, size: 33 },
        { count: 2000, width: 3, size: 3000 },
        { count: 5000, width: 1, size: 300 },
      ],
    ],
  ];
  for (const [way, make, shapes] of ways)
    for (const shape of shapes)
      for (const [pattern, indexOf] of Object.entries(patterns)) {
        it(`${way}, ${shape.count} of ${shape.width} onto ${shape.size}, ${pattern}`, async (context) => {
          // allow skip: no adapter on this machine; in CI that is a failure
          if (isNotHere(opened)) return context.skip(`${opened.reason}. ${opened.remedy}`);
          const { device, profile } = opened;
          const { count, width } = shape;
          const indices = Int32Array.from({ length: count }, (_, i) => indexOf(i, shape.size));
          const kinds: readonly Numbers[] = [
            Float32Array.from({ length: count * width }, (_, i) => noise(i)),
            ...(pattern === "random" ? [Int32Array.from({ length: count * width }, (_, i) => 2 ** 24 + i)] : []),
            ...(pattern === "random" && device.features.has("shader-f16")
              ? [Uint16Array.from({ length: count * width }, (_, i) => 0x3000 + (i % 4096))]
              : []),
          ];
          for (const updates of kinds) {
            const element = updates instanceof Float32Array ? "f32" : updates instanceof Int32Array ? "i32" : "f16";
            const { spec, functions } = specOf(shape, element, true);
            const { sums, sizes } = reference(spec, indices, updates);
            const runner = await runnerOf(device, make(spec, profile), functions, shape.size * width, indices, updates);
            const { out } = await runner.run();
            const again = await runner.run();
            runner.end();
            expect(again.out).toEqual(out);
            // Each sum has at most about `count` roundings of half a unit in the last place. Pairwise sums have far
            // fewer.
            const wrong = sums.findIndex((want, i) =>
              element === "i32"
                ? out[i] !== (want | 0)
                : !(Math.abs((out[i] as number) - want) <= 4e-7 * (sizes[i] as number)),
            );
            expect(wrong === -1 ? undefined : { element, wrong, got: out[wrong], want: sums[wrong] }).toBeUndefined();
          }
        });
      }
});
