// A stop (`*`) before a residue is told with its record and place. What follows from the definition is checked against
// a regular expression.
import { describe, expect, it } from "vitest";
import { fastaDatasets, inspect, prepareParts, prepareShards, resolveSources } from "../src/node.ts";
import { innerStop } from "../src/formats/inner-stops.ts";
import { scratch } from "./files.ts";
import { tinyTokenizer } from "./tiny-tokenizer.ts";

const { folder, write } = scratch();
const fasta = ">a\nMKT*\n>b\n>c x\nMK\n*T*\n>d\n*\n>e\n*MK\n";

describe("inner stops", () => {
  it("are stops with a residue after them", () => {
    for (let code = 0; code < 3 ** 7; code++) {
      const text = [...code.toString(3).padStart(7, "0")].map((digit) => ["*", "M", "K"][Number(digit)]).join("");
      const bytes = new TextEncoder().encode(`KK${text}*`);
      const found = /\*(?=.*[^*])/.exec(text);
      expect(innerStop(bytes, 2, 9), text).toBe(found === null ? undefined : found.index + 1);
    }
  });

  it("are named by every reader of FASTA", async () => {
    const file = write("stops.fasta", fasta);
    const clean = write("clean.fasta", ">a\nMKTAA*\n");
    const tokenizer = tinyTokenizer();
    const innerStops = { records: 2, first: { file: "stops.fasta", record: 3, residue: 3 } };
    const atPath = { ...innerStops, first: { ...innerStops.first, file } };
    expect(await inspect(file)).toMatchObject({ innerStops: atPath });
    expect(await inspect(clean)).toMatchObject({ innerStops: undefined });
    const { counts } = await fastaDatasets([clean, file], { tokenizer });
    expect(counts.innerStops).toEqual(atPath);
    expect(counts.unknown).toEqual({ "*": 2 });
    const common = { tokenizer, split: { seed: 0, valid: 0 } };
    const made = await prepareShards({ ...common, files: [clean, file], out: `${folder}/whole` });
    expect(made.index.counts.innerStops).toEqual(innerStops);
    const sources = await resolveSources([clean, file]);
    const parts = await prepareParts({ ...common, sources, out: `${folder}/parts`, rank: 0, world: 1, partBytes: 4 });
    expect(parts.shards?.index).toEqual(made.index);
    expect((await fastaDatasets([clean], { tokenizer })).counts.innerStops).toBeUndefined();
  });
});
