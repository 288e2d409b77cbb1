import { FormatError } from "@cloze/errors";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { inspect, readFasta } from "../src/node.ts";
import { scratch } from "./files.ts";
import { fastaText, protein } from "./tiny-tokenizer.ts";

const { write, folder } = scratch();
const text = fastaText(20_000);
const records = 20_000;

async function read(file: string): Promise<{ sequences: string[]; headers: string[] }> {
  const sequences: string[] = [];
  const headers: string[] = [];
  const decoder = new TextDecoder();
  for await (const { header, sequence } of readFasta(file).records()) {
    headers.push(header);
    sequences.push(decoder.decode(sequence));
  }
  return { sequences, headers };
}

describe("readFasta", () => {
  const expected = {
    sequences: Array.from({ length: records }, (_, i) => protein(i)),
    headers: Array.from({ length: records }, (_, i) => `p${i} protein`),
  };

  it.each([
    ["plain text", "a.fasta", text],
    ["gzip", "a.fasta.gz", gzipSync(text)],
    ["gzip without the ending", "b.txt", gzipSync(text)],
    ["plain text with the ending", "c.gz", text],
    [
      "gzip of several members",
      "d.fa.gz",
      Buffer.concat([gzipSync(text.slice(0, 1_234_567)), gzipSync(""), gzipSync(text.slice(1_234_567))]),
    ],
  ])("reads %s", async (_, name, content) => {
    expect(await read(write(name, content))).toEqual(expected);
  });

  it("reports, and can be read again", async () => {
    const file = readFasta(write("r.fa", ">a\nMKT\n>b\n>\n"));
    for (let pass = 0; pass < 2; pass++) {
      for await (const batch of file.batches()) expect(batch.count).toBeGreaterThan(0);
      expect(file.report).toMatchObject({ records: 3, residues: 3, empty: 2, unnamed: 1 });
    }
  });

  it("reads an empty file as no records", async () => {
    expect((await read(write("empty.fa", ""))).headers).toEqual([]);
  });

  it.each([
    [
      "a gzip file that was cut off",
      gzipSync(text).subarray(0, 200_000),
      /cut\.gz, after \d+ bytes of text: .*cut off/,
    ],
    [
      "a damaged gzip file",
      gzipSync(text).map((byte, at) => (at > 1000 && at < 1100 ? 255 - byte : byte)),
      /damaged data|cut off/,
    ],
    ["gzip inside gzip", gzipSync(gzipSync(text)), /looks like gzip inside gzip/],
    ["an archive", Buffer.from("PK\x03\x04rest"), /looks like a zip archive/],
  ])("refuses %s", async (_, content, message) => {
    const reading = read(write("cut.gz", content));
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toSatisfy(FormatError.isInstance);
  });

  it("says what is wrong with a path", async () => {
    await expect(read(`${folder}/nothing.fa`)).rejects.toThrow(/nothing\.fa: expected a file to read, got ENOENT/);
    await expect(read(folder)).rejects.toThrow(/expected a file, got a folder/);
  });

  it("can be left early", async () => {
    for await (const record of readFasta(write("early.gz", gzipSync(text))).records()) {
      expect(record.header).toBe("p0 protein");
      break;
    }
  });
});

describe("inspect", () => {
  it("counts and summarises", async () => {
    const seen = await inspect(write("i.fa", ">a\nAAAA\n>b\nACac\n>c\nXX\n>d\n\n>e\nAAAAAAAAAA\n"));
    expect(seen).toMatchObject({
      kind: "fasta",
      report: { records: 5, empty: 1 },
      contents: {
        sequences: 4,
        residues: 20,
        histogram: { A: 15, X: 2, C: 1, a: 1, c: 1 },
        standardResidues: 18,
        lengths: { min: 2, median: 4, max: 10, mean: 5, p75: 5.5 },
      },
    });
    const entropy = -(16 / 18) * Math.log(16 / 18) - (2 / 18) * Math.log(2 / 18);
    if (seen.kind === "fasta") expect(seen.contents.unigramEntropy).toBeCloseTo(entropy, 12);
  });
});
