import { RandomStream, permute } from "@cloze/random";
import { describe, expect, it } from "vitest";
import { protein } from "../../test/tiny-tokenizer.ts";
import { contentHash } from "./content-hash.ts";
import { permutation, shuffledOrder } from "../rows/shuffle.ts";
import { checkSplitRule, splitOf } from "./split.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("contentHash", () => {
  // The first two words of MurmurHash3_x86_128, from the reference implementation.
  it.each([
    ["", 0, 0x00000000, 0x00000000],
    ["", 1, 0x88c4adec, 0x54d201b9],
    ["The quick brown fox jumps over the lazy dog", 0, 0x2f1583c3, 0xecee2c67],
    ["I will not buy this record, it is scratched.", 0, 0xa0a9683b, 0x25ac5e40],
  ])("of %j with seed %i", (text, seed, high, low) => {
    expect(contentHash(bytes(text), seed, 0, bytes(text).length, false)).toEqual({ high, low });
  });

  it("does not depend on where the bytes lie, on case, or on what is around them", () => {
    for (let n = 0; n < 40; n++) {
      const text = protein(n, 40);
      const around = bytes(`xyz${text}QQQQ`);
      expect(contentHash(around, 7, 3, 3 + text.length)).toEqual(contentHash(bytes(text.toLowerCase()), 7));
      expect(contentHash(bytes(text), 7)).not.toEqual(contentHash(bytes(text), 8));
      expect(contentHash(bytes(text), 7)).not.toEqual(contentHash(bytes(`${text}A`), 7));
    }
  });
});

describe("splitOf", () => {
  const rule = { seed: 3, valid: 0.1, test: 0.05 };

  it("gives the fractions, and what is held out with a small fraction stays held out with a larger", () => {
    const count = { train: 0, valid: 0, test: 0 };
    for (let n = 0; n < 20_000; n++) {
      const sequence = bytes(`${protein(n, 30)}${n}`);
      const split = splitOf(sequence, rule);
      count[split]++;
      if (splitOf(sequence, { seed: 3, valid: 0.02 }) === "valid") expect(split).toBe("valid");
    }
    expect(count.valid / 20_000).toBeCloseTo(0.1, 2);
    expect(count.test / 20_000).toBeCloseTo(0.05, 2);
  });

  it("is a function of content and seed", () => {
    expect(splitOf(bytes("MKTAYIAK"), rule)).toBe(splitOf(bytes("mktayiak"), rule));
    const moved = Array.from(
      { length: 200 },
      (_, n) =>
        splitOf(bytes(protein(n)), { seed: 1, valid: 0.5 }) !== splitOf(bytes(protein(n)), { seed: 2, valid: 0.5 }),
    );
    expect(moved.filter(Boolean).length).toBeGreaterThan(60);
  });

  it("refuses what is no fraction", () => {
    for (const wrong of [{ valid: -0.1 }, { valid: 0.9, test: 0.2 }, { valid: NaN }])
      expect(() => checkSplitRule({ seed: 0, ...wrong })).toThrow(/expected valid and test to be fractions/);
    expect(() => checkSplitRule({ seed: 1.5, valid: 0 })).toThrow(/expected seed/);
  });
});

describe("shuffledOrder", () => {
  it.each([1, 2, 3, 5, 64, 65, 1000, 4097])("equals permute of @cloze/random on %i", (size) => {
    const stream = new RandomStream(9).split("shuffle").split(4);
    const order = shuffledOrder(size, { seed: 9, epoch: 4 });
    const image = Array.from({ length: size }, (_, i) => order(i));
    expect(image).toEqual(Array.from({ length: size }, (_, i) => permute(stream, size, i)));
    expect(image.toSorted((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
  });

  it("reaches the far end of a large set", () => {
    const size = 70_000_001;
    const order = permutation(new RandomStream(1), size);
    for (const place of [0, 1, size - 1]) expect(order(place)).toBe(permute(new RandomStream(1), size, place));
  });
});
