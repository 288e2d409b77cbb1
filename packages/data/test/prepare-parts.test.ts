import { ConfigError } from "@cloze/errors";
import { parquetWriteBuffer } from "hyparquet-writer";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { heldOutRows } from "../src/index.ts";
import {
  ShardWriter,
  openShards,
  prepareDocuments,
  prepareParts,
  prepareShards,
  resolveSources,
  type PreparePartsOptions,
} from "../src/node.ts";
import { readRange } from "../src/formats/fasta-range.ts";
import { scratch } from "./files.ts";
import { fastaText, protein, textOf, tinyTokenizer } from "./tiny-tokenizer.ts";

const { folder, write } = scratch();
const tokenizer = tinyTokenizer();
const split = { seed: 2, valid: 0.2, test: 0.1 };
const contents = (out: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(out)
      .toSorted()
      .map((file) => [file, readFileSync(join(out, file)).toString("base64")]),
  );

/** Records that end in a stop, records with nothing but a stop, empty records, and `>` inside a header line, all with CRLF. */
const odd = Array.from(
  { length: 400 },
  (_, i) =>
    `>o${i} a>b\r\n${i % 11 === 3 ? "*" : i % 13 === 5 ? "" : `${protein(i, 90)}${i % 3 === 0 ? "*" : ""}`}\r\n`,
).join("");

async function inParts(options: Omit<PreparePartsOptions, "rank" | "world">, world: number): Promise<void> {
  // The ranks run from last to first, because the order of the processes must not matter.
  for (let rank = world - 1; rank > 0; rank--)
    expect((await prepareParts({ ...options, rank, world })).shards).toBeUndefined();
  const last = await prepareParts({ ...options, rank: 0, world });
  expect(last).toMatchObject({ done: last.parts, shards: { reused: false } });
}

describe("prepareParts", () => {
  const files = [
    write("a.fasta", fastaText(600)),
    write("b.fasta", odd),
    write("c.fasta.gz", gzipSync(fastaText(300, 30))),
  ];

  it.each([
    [1, 1e9],
    [2, 9000],
    [3, 30_001],
  ])("%i processes and parts of %i bytes make the bytes of one", async (world, partBytes) => {
    const one = join(folder, `one-${world}`);
    const many = join(folder, `many-${world}`);
    const common = { tokenizer, split, tokensPerShard: 9000 };
    const { index } = await prepareShards({ ...common, files, out: one });
    await inParts({ ...common, sources: await resolveSources(files), out: many, partBytes }, world);
    expect(contents(many)).toEqual(contents(one));
    expect(index.counts).toMatchObject({ records: 1300, emptied: 37, dropped: { "*": 149 } });
  });

  it.each([1, 2, 7, 64, 1000, 1_100_000])("ranges of %i bytes hold each record once", async (bytes) => {
    // For the longest ranges the file is longer than one chunk.
    const text = bytes < 1000 ? odd.slice(0, 3000) : `${odd}${fastaText(10_000)}`;
    const file = write(`ranges-${bytes}.fa`, text);
    const read: string[] = [];
    for (let from = 0; from < text.length; from += bytes) {
      let part = "";
      for await (const chunk of readRange({ file, from, until: from + bytes }, () => undefined))
        part += Buffer.from(chunk).toString();
      if (part !== "") expect(part.startsWith(">")).toBe(true);
      read.push(part);
    }
    expect(read.join("")).toBe(text);
  });

  it("of text, with sentences and filters", async () => {
    const names = ["t1.txt", "t2.txt", "t3.txt"].map((name, n) =>
      write(name, Array.from({ length: 80 }, (_, i) => `${protein(n * 80 + i, 40)}\n${protein(i, 9)}\n`).join("\n")),
    );
    const sources = await resolveSources(names);
    const common = { tokenizer, split, tokensPerShard: 900, filter: { minTokens: 10 }, sources };
    await prepareDocuments({ ...common, out: join(folder, "text-one") });
    await inParts({ ...common, out: join(folder, "text-many") }, 2);
    expect(contents(join(folder, "text-many"))).toEqual(contents(join(folder, "text-one")));
    await expect(
      prepareParts({ ...common, filter: { dedup: true }, out: join(folder, "dedup"), rank: 0, world: 2 }),
    ).rejects.toThrow(/got dedup, for which all have to be seen/);
  });

  it("of Parquet, split by row as published", async () => {
    const rows = Array.from({ length: 500 }, (_, i) => (i % 50 === 7 ? "" : protein(i)));
    const cuts = [0, 130, 131, 500];
    const names = cuts.slice(1).map((until, n) =>
      write(
        `train-0000${n}.parquet`,
        new Uint8Array(
          parquetWriteBuffer({
            columnData: [
              { name: "id", data: rows.slice(cuts[n], until).map((_, i) => `id${i}`) },
              { name: "sequence", data: rows.slice(cuts[n], until) },
            ],
            rowGroupSize: 100,
          }),
        ),
      ),
    );
    const rule = { heldOut: 40, seeds: { shuffle: 11, heldOut: 22, halves: 33 } };
    const common = { tokenizer, split: rule, sources: await resolveSources(names) };
    const { path, index } = await prepareDocuments({ ...common, out: join(folder, "rows-one") });
    await inParts({ ...common, out: join(folder, "rows-many") }, 3);
    expect(contents(join(folder, "rows-many"))).toEqual(contents(join(folder, "rows-one")));
    expect(index.splitRule).toEqual({ shuffle: "numpy-pcg64", ...rule });
    const held = heldOutRows([500], rule);
    for (const name of ["train", "valid", "test"] as const) {
      const data = await openShards(path, { split: name });
      const wanted = rows.filter((text, i) => text !== "" && (held.get(i) ?? "train") === name);
      expect(Array.from({ length: data.size }, (_, i) => textOf(data.read(i)))).toEqual(wanted);
      data.close();
    }
    await expect(
      prepareParts({
        ...common,
        sources: await resolveSources(files),
        out: join(folder, "rows-fasta"),
        rank: 0,
        world: 2,
      }),
    ).rejects.toThrow(/expected Parquet for a split by row/);
  });

  it("the same split of FASTA, and groups that are shuffled one by one", async () => {
    const groups = ["train", "valid"];
    const rule = { heldOut: 20, seeds: { shuffle: 11, heldOut: 22, halves: 33 }, groups };
    const named = [write("uni-train-0.fa", fastaText(100)), write("uni-valid-0.fa", fastaText(30))];
    const held = heldOutRows([100, 30], rule);
    const { index } = await prepareShards({ files: named, tokenizer, out: join(folder, "groups"), split: rule });
    expect(index.splits["valid"]?.documents).toBe([...held.values()].filter((name) => name === "valid").length);
    await expect(
      prepareShards({ files: named.toReversed(), tokenizer, out: join(folder, "g2"), split: rule }),
    ).rejects.toThrow(/in the order train, valid, got .*uni-train-0\.fa after one of valid/);
    await expect(
      prepareShards({ files: named.slice(0, 1), tokenizer, out: join(folder, "g3"), split: rule }),
    ).rejects.toThrow(/got none of valid/);
    await expect(prepareShards({ files, tokenizer, out: join(folder, "g4"), split: rule })).rejects.toThrow(
      /expected a name with one of the words train, valid/,
    );
  });

  it("goes on after an interruption, with another number of processes", async () => {
    const out = join(folder, "again");
    const common = { tokenizer, split, tokensPerShard: 9000, sources: await resolveSources(files), partBytes: 9000 };
    const first = await prepareParts({ ...common, out, rank: 1, world: 3 });
    expect(first.done).toBeGreaterThan(1);
    // The remains of a killed process: a lock whose process is gone, and files without their index.
    writeFileSync(
      join(out, "tokens.parts", "part-000000.lock"),
      JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), since: "long ago" }),
    );
    writeFileSync(join(out, "tokens.parts", "part-000000_train_000000.bin.tmp"), "half");
    const second = await prepareParts({ ...common, out, rank: 0, world: 1 });
    expect(second).toMatchObject({ kept: first.done, done: second.parts, shards: { reused: false } });
    expect(contents(out)).toEqual(contents(join(folder, "one-1")));
    expect((await prepareParts({ ...common, out, rank: 0, world: 1 })).shards?.reused).toBe(true);
  });

  it("leaves a part to the process that is at it, and keeps to one plan", async () => {
    const out = join(folder, "busy");
    const options = { tokenizer, split, sources: await resolveSources(files), out, rank: 0, world: 2 };
    mkdirSync(join(out, "tokens.parts"), { recursive: true });
    const held = join(out, "tokens.parts", "part-000000.lock");
    writeFileSync(held, JSON.stringify({ pid: process.pid, host: hostname(), since: "just now" }));
    await expect(prepareParts(options)).rejects.toThrow(
      new RegExp(`got process ${process.pid} on .*, since just now: .* Wait until it ends, or choose another name`),
    );
    rmSync(held);
    expect((await prepareParts(options)).done).toBe(2);
    await expect(prepareParts({ ...options, split: { seed: 3, valid: 0.1 } })).rejects.toThrow(
      /holds parts of other inputs or settings/,
    );
    expect((await prepareParts({ ...options, split: { seed: 3, valid: 0.1 }, overwrite: true })).done).toBe(2);
    await expect(prepareParts({ ...options, rank: 2 })).rejects.toThrow(/got rank 2 and world 2/);
  });
});

describe("one folder", () => {
  it("is written by one process at a time", async () => {
    const out = join(folder, "locked");
    const file = write("locked.fa", fastaText(20_000));
    const first = prepareShards({ files: [file], tokenizer, out });
    await expect(prepareShards({ files: [file], tokenizer, out, split })).rejects.toThrow(
      /expected to be the only one that writes the shards tokens in .*locked, got process \d+/,
    );
    expect((await first).interrupted).toBe(false);
    expect(existsSync(join(out, "tokens.lock"))).toBe(false);
  });

  it("left by a process of another host is not taken over, of a dead one is, and says so", async () => {
    const out = join(folder, "stale");
    const options = { files: [write("stale.fa", fastaText(20))], tokenizer, out };
    mkdirSync(out);
    writeFileSync(join(out, "tokens.lock"), JSON.stringify({ pid: 1, host: `not-${hostname()}`, since: "then" }));
    await expect(prepareShards(options)).rejects.toThrow(/If that process has ended, remove .*tokens\.lock/);
    writeFileSync(join(out, "tokens.lock"), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), since: "then" }));
    writeFileSync(join(out, "tokens_train_000000.bin.tmp"), "half");
    expect(await prepareShards(options)).toMatchObject({ reused: false, interrupted: true });
  });

  // allow skip: only Linux has a device that is always full
  it.skipIf(!existsSync("/dev/full"))("on a full disk is an error with a way on, and leaves nothing", async () => {
    const bare = join(folder, "bare");
    mkdirSync(bare);
    symlinkSync("/dev/full", join(bare, "t_train_000000.bin.tmp"));
    const writer = new ShardWriter({
      out: bare,
      prefix: "t_train",
      dtype: "uint8",
      start: 0,
      end: 2,
      tokensPerShard: 1e6,
    });
    expect(() => writer.add(3, (into) => into.append([1, 2, 3]))).toThrow(/ENOSPC/);
    const parts = join(folder, "full-parts");
    mkdirSync(join(parts, "tokens.parts"), { recursive: true });
    symlinkSync("/dev/full", join(parts, "tokens.parts", "part-000000_train.max"));
    const failing = prepareParts({
      tokenizer,
      sources: await resolveSources([write("full.fa", fastaText(5))]),
      out: parts,
      rank: 0,
      world: 1,
    });
    await expect(failing).rejects.toThrow(
      /expected room for the shards in .*, got ENOSPC\. .*Make room or choose another folder, and run it again/,
    );
    await expect(failing).rejects.toSatisfy(ConfigError.isInstance);
    expect(readdirSync(parts)).toEqual([]);
  });
});
