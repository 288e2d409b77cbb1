import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { heldOutRows, numpyPermutation } from "../src/index.ts";

interface Golden {
  readonly small: readonly { readonly seed: number; readonly size: number; readonly values: readonly number[] }[];
  readonly large: {
    readonly seed: number;
    readonly size: number;
    readonly places: readonly number[];
    readonly values: readonly number[];
  };
  readonly splits: readonly {
    readonly sizes: readonly number[];
    readonly heldOut: number;
    readonly valid: readonly number[];
    readonly test: readonly number[];
  }[];
}

const golden = JSON.parse(readFileSync(new URL("./golden/splits.json", import.meta.url), "utf8")) as Golden;
const seeds = { shuffle: 11, heldOut: 22, halves: 33 };

describe("numpyPermutation", () => {
  it.each(golden.small)("is numpy's for seed $seed and size $size", ({ seed, size, values }) => {
    expect([
      ...numpyPermutation(
        seed,
        size,
        Array.from({ length: size }, (_, i) => i),
      ),
    ]).toEqual(values);
  });

  it("finds entries of a large one", () => {
    const { seed, size, places, values } = golden.large;
    expect([...numpyPermutation(seed, size, places)]).toEqual(values);
  });

  it("refuses what numpy would take otherwise", () => {
    expect(() => numpyPermutation(2 ** 32, 5, [0])).toThrow(/expected a seed from 0 to/);
    expect(numpyPermutation(1, 0, [])).toEqual(new Uint32Array());
  });
});

describe("heldOutRows", () => {
  it.each(golden.splits)("holds out $heldOut of $sizes as datasets does", ({ sizes, heldOut, valid, test }) => {
    const rows = [...heldOutRows(sizes, { heldOut, seeds })];
    const of = (name: string): number[] =>
      rows.flatMap(([row, split]) => (split === name ? [row] : [])).toSorted((a, b) => a - b);
    expect(of("valid")).toEqual(valid);
    expect(of("test")).toEqual(test);
  });

  it("refuses to hold out everything", () => {
    expect(() => heldOutRows([10], { heldOut: 20, seeds })).toThrow(
      /expected more than the 20 rows that are held out, got 10\. Use the split by content/,
    );
  });
});
