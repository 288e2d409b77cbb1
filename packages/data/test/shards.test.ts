import { FormatError } from "@cloze/errors";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { ShardWriter, fastaDatasets, inspect, openShards, prepareShards, type PreparedShards } from "../src/node.ts";
import { scratch } from "./files.ts";
import { fastaText, protein, textOf, tinyTokenizer } from "./tiny-tokenizer.ts";

const { folder, write } = scratch();
const tokenizer = tinyTokenizer();
const split = { seed: 2, valid: 0.2, test: 0.1 };
const count = 3000;
const sequences = Array.from({ length: count }, (_, i) => protein(i));

async function documents(path: string, name: string): Promise<string[]> {
  const data = await openShards(path, { split: name, tokenizer });
  const texts = await Promise.all(Array.from({ length: data.size }, async (_, i) => textOf(await data.read(i))));
  data.close();
  return texts;
}

let made: PreparedShards;
beforeAll(async () => {
  const files = [
    write("a.fasta", fastaText(count).slice(0, 100_001)),
    write(
      "b.gz",
      gzipSync(
        `${fastaText(count)
          .slice(100_001)
          .replace(/^[^>]*/, "")}>none\n>\nX*\n`,
      ),
    ),
  ];
  made = await prepareShards({
    files,
    tokenizer,
    out: join(folder, "out"),
    name: "uni",
    split,
    tokensPerShard: 50_000,
  });
});

describe("prepareShards", () => {
  it("writes shards in the speedrun format", () => {
    const [entry] = made.index.splits["train"]?.shards ?? [];
    const bytes = readFileSync(join(folder, "out", "uni_train_000000.bin"));
    expect(Array.from({ length: 4 }, (_, i) => bytes.readInt32LE(4 * i))).toEqual([20240520, 1, entry?.tokens, 0]);
    expect(bytes.length).toBe(1024 + (entry?.tokens ?? 0));
    expect(bytes[1024]).toBe(0);
    expect(bytes.at(-1)).toBe(2);
    expect(entry?.tokens).toBeLessThanOrEqual(50_000);
    expect(createHash("sha256").update(bytes.subarray(1024)).digest("hex")).toBe(entry?.sha256);
    expect(made.index.splits["train"]?.shards.length).toBeGreaterThan(3);
    expect(readdirSync(join(folder, "out")).filter((file) => file.endsWith(".tmp"))).toEqual([]);
  });

  it("keeps every sequence, in one split, in order", async () => {
    const train = await documents(made.path, "train");
    const valid = await documents(made.path, "valid");
    const test = await documents(made.path, "test");
    expect(train.length + valid.length + test.length).toBeGreaterThan(count - 2);
    expect(valid.length / count).toBeCloseTo(0.2, 1);
    const known = new Set([...sequences, "X"]);
    // The boundary between the two files falls inside a record, so one sequence is shorter there.
    expect([...train, ...valid, ...test].filter((text) => !known.has(text)).length).toBeLessThanOrEqual(1);
    expect(valid).toEqual(sequences.filter((text) => new Set(valid).has(text)));
  });

  it("counts what was not stored as it stood", () => {
    expect(made.index.counts).toMatchObject({ empty: 1, unnamed: 1, dropped: { "*": 1 }, unknown: {} });
    expect(made.index.inputs.map(({ file }) => file)).toEqual(["a.fasta", "b.gz"]);
  });

  it("does not depend on the order of the input or on the path of encoding", async () => {
    const reversed = write(
      "rev.fa",
      Array.from({ length: count }, (_, i) => `>r\n${protein(count - 1 - i)}\n`).join(""),
    );
    const plain = write("plain.fa", fastaText(count));
    const there = await prepareShards({
      files: [plain],
      tokenizer: tinyTokenizer({ fast: false }),
      out: join(folder, "there"),
      split,
    });
    const back = await prepareShards({ files: [reversed], tokenizer, out: join(folder, "back"), split });
    for (const name of ["train", "valid", "test"])
      expect((await documents(back.path, name)).toReversed()).toEqual(await documents(there.path, name));
    const memory = await fastaDatasets(plain, { tokenizer, split, names: true });
    expect(Array.from({ length: memory.valid.size }, (_, i) => textOf(memory.valid.read(i)))).toEqual(
      await documents(there.path, "valid"),
    );
    expect(memory.train.names?.[0]).toMatch(/^p\d+ protein$/);
    expect(memory.counts).toEqual(there.index.counts);
  });

  it("is reused when nothing changed, refused when something did, made anew when told", async () => {
    const out = join(folder, "again");
    const options = { files: [write("again.fa", fastaText(50))], tokenizer, out, split };
    expect((await prepareShards(options)).reused).toBe(false);
    expect((await prepareShards(options)).reused).toBe(true);
    await expect(prepareShards({ ...options, split: { seed: 3, valid: 0.5 } })).rejects.toThrow(
      /holds shards of other inputs or settings/,
    );
    expect(
      (await prepareShards({ ...options, split: { seed: 3, valid: 0.5 }, overwrite: true })).index.splitRule,
    ).toMatchObject({ valid: 0.5 });
  });

  it("clears what an interrupted run left, and leaves nothing of a failed one", async () => {
    const out = join(folder, "broken");
    await expect(
      prepareShards({
        files: [write("half.gz", gzipSync(fastaText(40_000)).subarray(0, 500_000))],
        tokenizer,
        out,
        tokensPerShard: 10_000,
      }),
    ).rejects.toSatisfy(FormatError.isInstance);
    expect(readdirSync(out)).toEqual([]);
    for (const left of ["tokens_train_000007.bin", "tokens_valid_000000.idx.tmp"])
      writeFileSync(join(out, left), "left");
    writeFileSync(join(out, "tokens_of_mine.txt"), "mine");
    await prepareShards({ files: [write("small.fa", fastaText(5))], tokenizer, out });
    expect(existsSync(join(out, "tokens_train_000007.bin"))).toBe(false);
    expect(existsSync(join(out, "tokens_of_mine.txt"))).toBe(true);
  });

  it("reports progress and refuses inputs with nothing in them", async () => {
    const seen: number[] = [];
    const file = write("p.fa", fastaText(1000));
    await prepareShards({
      files: [file, file],
      tokenizer,
      out: join(folder, "progress"),
      onProgress: ({ bytesRead, bytesTotal, records }) => seen.push(bytesRead / bytesTotal, records),
    });
    expect(seen.slice(-2)).toEqual([1, 1999]); // the last record ends with its file
    await expect(
      prepareShards({ files: [write("none.fa", ">a\n>b\n")], tokenizer, out: join(folder, "none") }),
    ).rejects.toThrow(/got 2 records with nothing to store/);
    await expect(prepareShards({ files: [join(folder, "absent")], tokenizer, out: folder })).rejects.toThrow(
      /expected a FASTA file at .*absent/,
    );
  });

  it("takes long records in pieces", async () => {
    const long = `${"ACDEFGHIKL".repeat(350_000)}*`;
    const file = write("long.fa", `>l\n${long}\n>s\nMK*\n>stops\n***\n>star\n*\n`);
    const { path, index } = await prepareShards({
      files: [file],
      tokenizer,
      out: join(folder, "long"),
      split: { seed: 0, valid: 0 },
    });
    expect((await documents(path, "train")).map((text) => text.length)).toEqual([3_500_000, 2, "<unk><unk>".length]);
    expect(index.counts).toMatchObject({ emptied: 1, dropped: { "*": 4 }, unknown: { "*": 2 } });
  });
});

describe("openShards", () => {
  it("reads in any order what the lengths say", async () => {
    const data = await openShards(made.path);
    for (const example of [data.size - 1, 0, 64, 63, 777, 1])
      expect((await data.read(example)).length).toBe(data.lengthOf(example));
    expect(() => data.read(data.size)).toThrow(/expected an example from 0 to/);
    data.close();
  });

  it.each(["uint16", "uint32"] as const)("reads %s tokens", async (dtype) => {
    const out = join(folder, "out");
    const writer = new ShardWriter({
      out,
      prefix: `wide_${dtype}_train`,
      dtype,
      start: 1,
      end: undefined,
      tokensPerShard: 9000,
    });
    const documentOf = (i: number): number[] =>
      Array.from({ length: 1 + (i % 30) }, (_, t) => (dtype === "uint16" ? 60_000 : 100_000) + i + t);
    for (let i = 0; i < 900; i++)
      writer.add(30, (into) => {
        for (const token of documentOf(i)) into.push(token);
      });
    const path = join(out, `wide_${dtype}.json`);
    const tokenizerOf = { name: "wide", hash: "w", vocabularySize: 200_000 };
    writeFileSync(
      path,
      JSON.stringify({
        ...made.index,
        tokenizer: tokenizerOf,
        dtype,
        special: { start: 1, end: null },
        splits: { train: writer.finish() },
      }),
    );
    const data = await openShards(path);
    expect(data.size).toBe(900);
    for (let i = 0; i < 900; i++) expect([...data.read(i)]).toEqual(documentOf(i));
    data.close();
  });

  it.each([
    [
      "a flipped bit",
      "uni_train_000001.bin",
      (bytes: Buffer) => {
        bytes[5000] = (bytes[5000] as number) ^ 1;
      },
      /uni_train_000001\.bin: expected the SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}: .*Copy it again, or prepare the shards again/,
    ],
    [
      "another format",
      "uni_train_000000.bin",
      (bytes: Buffer) => bytes.writeInt32LE(7, 0),
      /byte 0: expected the shard magic 20240520, got 7/,
    ],
    [
      "a later version",
      "uni_train_000000.bin",
      (bytes: Buffer) => bytes.writeInt32LE(2, 4),
      /byte 4: expected shard version 1, got 2/,
    ],
    [
      "a shard of another run",
      "uni_train_000000.bin",
      (bytes: Buffer) => bytes.writeInt32LE(9, 8),
      /byte 8: expected \d+ tokens, as the index says, got 9/,
    ],
    [
      "a short file",
      "uni_train_000002.bin",
      (bytes: Buffer) => bytes.subarray(0, 4000),
      /expected \d+ bytes, got 4000/,
    ],
    [
      "no header",
      "uni_train_000000.bin",
      (bytes: Buffer) => bytes.subarray(0, 100),
      /expected a header of 1024 bytes, got 100/,
    ],
    [
      "changed lengths",
      "uni_train_000000.idx",
      (bytes: Buffer) => {
        bytes[0] = (bytes[0] as number) ^ 1;
      },
      /idx: expected the SHA-256/,
    ],
    [
      "an index that is not one",
      "uni.json",
      () => Buffer.from("{}"),
      /uni\.json, format: expected "cloze-token-shards", got undefined/,
    ],
    [
      "an index that is cut off",
      "uni.json",
      (bytes: Buffer) => bytes.subarray(0, 50),
      /expected a JSON index of token shards/,
    ],
    [
      "an index that leads elsewhere",
      "uni.json",
      (bytes: Buffer) => Buffer.from(bytes.toString().replaceAll("uni_train_", "../uni_train_")),
      /without some of them/,
    ],
  ])("refuses %s", async (_, file, damage, message) => {
    const path = join(folder, "out", file);
    const whole = readFileSync(path);
    const bytes = Buffer.from(whole);
    const changed = damage(bytes);
    writeFileSync(path, Buffer.isBuffer(changed) ? changed : bytes);
    try {
      const opening = openShards(made.path);
      await expect(opening).rejects.toThrow(message);
      await expect(opening).rejects.toSatisfy(FormatError.isInstance);
    } finally {
      writeFileSync(path, whole);
    }
  });

  it("refuses another tokenizer and an unknown split", async () => {
    await expect(openShards(made.path, { tokenizer: { name: "esm2", hash: "ffff" } })).rejects.toThrow(
      /expected shards of the tokenizer esm2 \(ffff\), got tiny/,
    );
    await expect(openShards(made.path, { split: "dev" })).rejects.toThrow(
      /expected one of the splits train, valid, test/,
    );
  });

  it("can be inspected", async () => {
    const seen = await inspect(made.path);
    expect(seen.kind).toBe("shards");
    if (seen.kind !== "shards") return;
    const residues = Object.values(seen.splits).reduce((n, part) => n + part.residues, 0);
    expect(residues).toBe(made.index.counts.residues - 1);
    expect(seen.splits["train"]?.unigramEntropy).toBeCloseTo(Math.log(20), 2);
  });
});
