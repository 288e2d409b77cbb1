import { describe, expect, test } from "vitest";
import { bytesOf, lowerBound, pack, place, roundUp, type Lifetime, type Placement } from "./place.ts";

/** A small generator of pseudo-random numbers, so that lifetimes are the same in every run. */
function dice(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 12345;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function random(seed: number): Lifetime[] {
  const draw = dice(seed);
  const kernels = 20 + draw(100);
  return Array.from({ length: 10 + draw(200) }, () => {
    const first = draw(kernels);
    return {
      bytes: 1 + draw(2) * 4 + draw(40_000),
      group: draw(4) === 0 ? "16-bit" : "32-bit",
      first,
      last: Math.min(kernels - 1, first + draw(12) * draw(4)),
    };
  });
}

/** Lifetimes of a training step: the forward pass keeps two activations a layer, and both passes have temporaries. */
function training(layers: number): Lifetime[] {
  const all: Lifetime[] = [];
  const kernels = layers * 8 * 2;
  const hidden = 8 * 128 * 256 * 4;
  const add = (bytes: number, first: number, last: number): void =>
    void all.push({ bytes, group: "32-bit", first, last });
  for (let layer = 0; layer < layers; layer++) {
    const forward = layer * 8;
    const backward = kernels - 1 - forward;
    add(hidden, forward, backward - 1);
    add(4 * hidden, forward + 4, backward - 5);
    add(hidden / 64, forward + 2, backward - 3);
    for (let k = 0; k < 7; k++) add(hidden * (1 + (k % 4)), forward + k, forward + k + 1);
    for (let k = 0; k < 7; k++) add(hidden * (1 + (k % 4)), backward - k - 1, backward - k);
    add(1024 + layer * 4, backward - 6, backward);
  }
  return all;
}

const options = { alignment: 256, chunkBytes: 2 ** 30 };

function check(
  lifetimes: readonly Lifetime[],
  { spots, chunks }: Placement,
  { alignment, chunkBytes }: typeof options,
): void {
  expect(spots.length).toBe(lifetimes.length);
  for (const { bytes } of chunks) expect(bytes).toBeLessThanOrEqual(chunkBytes);
  lifetimes.forEach((a, i) => {
    const at = spots[i] as { chunk: number; offset: number };
    expect(at.offset % alignment).toBe(0);
    expect(at.offset + a.bytes).toBeLessThanOrEqual(chunks[at.chunk]?.bytes as number);
    expect(chunks[at.chunk]?.group).toBe(a.group);
    for (let j = 0; j < i; j++) {
      const b = lifetimes[j] as Lifetime;
      const other = spots[j] as { chunk: number; offset: number };
      if (other.chunk !== at.chunk || a.first > b.last || b.first > a.last) continue;
      const apart = at.offset >= other.offset + b.bytes || other.offset >= at.offset + a.bytes;
      if (!apart) throw new Error(`${i} and ${j} live at once and overlap`);
    }
  });
}

describe("temporaries", () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))(
    "random lifetimes %i: no two that live at once overlap, in few bytes",
    (seed) => {
      const lifetimes = random(seed);
      const placement = place(lifetimes, options);
      check(lifetimes, placement, options);
      const groups = (["16-bit", "32-bit"] as const).map((group) =>
        lowerBound(
          lifetimes.filter((l) => l.group === group),
          256,
        ),
      );
      expect(bytesOf(placement)).toBeLessThanOrEqual(1.2 * groups.reduce((a, b) => a + b, 0));
    },
  );

  test.each([
    [1, 1.1],
    [4, 1.06],
    [12, 1.06],
    [30, 1.06],
  ])("a training step of %i layers: within %f of the most that lives at once", (layers, allowed) => {
    const lifetimes = training(layers);
    const placement = place(lifetimes, options);
    const bound = lowerBound(lifetimes, 256);
    check(lifetimes, placement, options);
    expect(placement.chunks.length).toBe(1);
    expect(bytesOf(placement)).toBeLessThanOrEqual(allowed * bound);
  });

  test.each([1, 2, 3])("chunks of limited size hold the same (%i)", (seed) => {
    const lifetimes = random(seed);
    const small = { alignment: 256, chunkBytes: 100_000 };
    const placement = place(lifetimes, small);
    check(lifetimes, placement, small);
    expect(placement.chunks.length).toBeGreaterThan(2);
  });

  test("thousands of storages", () => {
    const lifetimes = training(150);
    expect(lifetimes.length).toBeGreaterThan(2500);
    expect(bytesOf(place(lifetimes, { ...options, chunkBytes: 2 ** 32 }))).toBeLessThan(
      1.1 * lowerBound(lifetimes, 256),
    );
  });

  test("nothing needs nothing; one of each group two chunks", () => {
    expect(place([], options)).toEqual({ spots: [], chunks: [] });
    const both = place(
      [
        { bytes: 2, group: "16-bit", first: 0, last: 0 },
        { bytes: 4, group: "32-bit", first: 1, last: 1 },
      ],
      options,
    );
    expect(both.chunks.map(({ group }) => group).sort()).toEqual(["16-bit", "32-bit"]);
  });
});

test("what always lives lies one behind the other, and in the next chunk where the limit is", () => {
  expect(pack([4, 300, 256, 1], { alignment: 256, chunkBytes: 1100 })).toEqual({
    spots: [
      { chunk: 0, offset: 0 },
      { chunk: 0, offset: 256 },
      { chunk: 0, offset: 768 },
      { chunk: 1, offset: 0 },
    ],
    chunks: [1024, 256],
  });
  expect(roundUp(257, 256)).toBe(512);
});
