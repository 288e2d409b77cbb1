import { readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { mix, packedBatches, windowed } from "../src/index.ts";
import {
  openShards,
  prefetch,
  prepareShards,
  resolveSources,
  type ClusterTable,
  type PreparedShards,
  type ShardDataset,
} from "../src/node.ts";
import { scratch } from "./files.ts";
import { protein, textOf, tinyTokenizer } from "./tiny-tokenizer.ts";

const { folder, write } = scratch();
const tokenizer = tinyTokenizer();
const count = 3000;
const split = { seed: 1, valid: 0.1 };
/** Clusters of 1 to 9 members, far apart in the file. Every hundredth sequence is in no cluster. */
const clusterOf = (i: number): string => (i % 100 === 99 ? `UniRef90_A${i}` : `UniRef50_C${((i * 7919) % 701) % 500}`);
const sequences = Array.from(
  { length: count },
  (_, i) => `${protein(i, 60)}${[0, 1, 2].map((k) => "ACDEFGHIKLMNPQRSTVWY"[Math.floor(i / 20 ** k) % 20]).join("")}`,
);
const byText = new Map(sequences.map((text, i) => [text, i]));
const mapped = Array.from({ length: count }, (_, i) => i).filter((i) => i % 100 !== 99);

let made: PreparedShards;
let table: ClusterTable;
let train: ShardDataset;
beforeAll(async () => {
  const fasta = [0, 1].map((half) =>
    write(
      `u90-${half}.fasta.gz`,
      gzipSync(
        Array.from({ length: count / 2 }, (_, i) => half * (count / 2) + i)
          .map((i) => `>UniRef90_A${i} Protein ${i} n=1\n${i === 7 ? "" : sequences[i]}\n`)
          .join(""),
      ),
    ),
  );
  const [source] = await resolveSources([
    write(
      "map.tsv",
      `cluster\tmember\n${mapped
        .toReversed()
        .map((i) => `${clusterOf(i)}\tUniRef90_A${i}\n`)
        .join("")}`,
    ),
  ]);
  if (source === undefined) return;
  table = { source };
  made = await prepareShards({
    files: fasta,
    tokenizer,
    out: join(folder, "out"),
    split,
    clusters: table,
    tokensPerShard: 20_000,
  });
  train = await openShards(made.path);
});

const membersOf = async (data: ShardDataset): Promise<number[]> =>
  Promise.all(Array.from({ length: data.size }, async (_, i) => byText.get(textOf(await data.read(i))) as number));

describe("clusters", () => {
  it("are counted, are in one split each, and leave no temporary files", async () => {
    const valid = await openShards(made.path, { split: "valid" });
    const inTrain = new Set((await membersOf(train)).map(clusterOf));
    const inValid = new Set((await membersOf(valid)).map(clusterOf));
    expect(made.index.counts).toMatchObject({ records: count, empty: 1, unmapped: 30 });
    expect([train.places, valid.places]).toEqual([inTrain.size, inValid.size]);
    expect([...inValid].filter((cluster) => inTrain.has(cluster))).toEqual([]);
    expect(inValid.size / (inTrain.size + inValid.size)).toBeCloseTo(0.1, 1);
    expect(readdirSync(join(folder, "out")).filter((file) => /tmp|lock/.test(file))).toEqual([]);
    valid.close();
  });

  it("show one member of each in every epoch, drawn anew, as a function of the seed, the epoch and the place", async () => {
    const members = await membersOf(train);
    const seen = new Map<string, number[]>();
    for (let epoch = 0; epoch < 200; epoch++) {
      const order = train.orderOf?.({ seed: 3, epoch });
      const shown = Array.from({ length: train.places ?? 0 }, (_, place) => members[order?.(place) ?? -1] as number);
      expect(new Set(shown.map(clusterOf)).size).toBe(train.places);
      for (const member of shown) seen.set(clusterOf(member), [...(seen.get(clusterOf(member)) ?? []), member]);
    }
    // All members of a cluster are equally likely: chi-squared over all clusters, whose mean is the degrees of freedom.
    let squared = 0;
    let freedom = 0;
    for (const [cluster, drawn] of seen) {
      const own = members.filter((member) => clusterOf(member) === cluster);
      const expected = 200 / own.length;
      for (const member of own) squared += (drawn.filter((each) => each === member).length - expected) ** 2 / expected;
      freedom += own.length - 1;
    }
    expect(Math.abs(squared - freedom) / Math.sqrt(2 * freedom)).toBeLessThan(4);
    expect(train.orderOf?.({ seed: 3, epoch: 5 })(17)).toBe(train.orderOf?.({ seed: 3, epoch: 5 })(17));
  });

  it("make epochs of batches, the same in worker threads and for every number of ranks", async () => {
    const options = { seed: 0, length: 128, rowsPerBatch: 4, special: tokenizer.special };
    const batches = packedBatches(train, options);
    const sequencesIn = async (steps: readonly number[]): Promise<number[]> =>
      (await Promise.all(steps.map((step) => batches.batchAt(step)))).flatMap(({ sequences: all }) =>
        all.map(({ example }) => example),
      );
    const one = Array.from({ length: 24 }, (_, step) => step);
    const all = await sequencesIn(one);
    for (const world of [2, 3, 4]) {
      const ranks = Array.from({ length: world }, (_, rank) => one.filter((step) => step % world === rank));
      const parts = await Promise.all(ranks.map(sequencesIn));
      expect(parts.flat().toSorted((a, b) => a - b)).toEqual(all.toSorted((a, b) => a - b));
    }
    const rows = batches.rowsIn(0);
    const epoch = await sequencesIn(Array.from({ length: Math.floor(rows / 4) }, (_, step) => step));
    expect(new Set(epoch).size).toBe(epoch.length);
    expect((train.places ?? 0) - epoch.length).toBeLessThan(100);
    expect(batches.fillOf(0)).toBeGreaterThan(0.9);
    const queue = prefetch(batches, { from: 5, until: 8, workers: 1 });
    let step = 5;
    for await (const batch of queue) expect(batch.ids).toEqual((await batches.batchAt(step++)).ids);
  });

  it("have names that may be numbers of any width, told apart by every digit", async () => {
    const ids = ["9007199254740992", "9007199254740993", "12345678901234567890", "12345678901234567891"];
    const fasta = write("numbered.fasta", ids.map((id, i) => `>${id} x\n${sequences[i]}\n`).join(""));
    const csv = `cluster,member\n${ids.map((id, i) => `${i},${id}\n`).join("")}`;
    const jsonl = ids.map((id, i) => `{"cluster": ${i}, "member": ${id}}\n`).join("");
    const indexes = [];
    for (const [name, content] of [
      ["numbered.csv", csv],
      ["numbered.jsonl", jsonl],
    ] as const) {
      const [source] = await resolveSources([write(name, content.replaceAll("\n", "\r"))]);
      if (source === undefined) throw new Error("no source");
      const clusters = { source, fields: ["cluster", "member"] } as const;
      const out = join(folder, `${name}.out`);
      const { index } = await prepareShards({ files: [fasta], tokenizer, out, split: { seed: 0, valid: 0 }, clusters });
      expect(index.counts.unmapped).toBe(0);
      expect(index.splits["train"]?.clusters?.count).toBe(4);
      indexes.push(index.splits);
    }
    expect(indexes[1]).toEqual(indexes[0]);
  });

  it("of lists, by number of column, or without a header give the same", async () => {
    const lists = new Map<string, number[]>();
    const files = [0, 1].map((half) => join(folder, `u90-${half}.fasta.gz`));
    for (const i of mapped) lists.set(clusterOf(i), [...(lists.get(clusterOf(i)) ?? []), i]);
    const jsonl = write(
      "map.jsonl",
      [...lists]
        .map(([ur50_id, members]) => JSON.stringify({ ur50_id, ur90_id: members.map((i) => `UniRef90_A${i}`) }))
        .join("\n"),
    );
    const bare = write("idmapping.tsv", mapped.map((i) => `P${i}\tUniRef90_A${i}\t${clusterOf(i)}\n`).join(""));
    for (const [name, more] of [
      [jsonl, { fields: ["ur50_id", "ur90_id"] }],
      [bare, { fields: ["3", "2"], header: false }],
    ] as const) {
      const [source] = await resolveSources([name]);
      if (source === undefined) throw new Error("no source");
      const other = await prepareShards({
        files,
        tokenizer,
        out: `${name}.out`,
        split,
        clusters: { source, ...more },
        tokensPerShard: 20_000,
      });
      expect(other.index.splits).toEqual(made.index.splits);
    }
    const wrong = await resolveSources([bare]);
    const source = wrong[0] ?? table.source;
    await expect(
      prepareShards({
        files,
        tokenizer,
        out: join(folder, "wrong"),
        split,
        clusters: { source, fields: ["2", "3"], header: false },
      }),
    ).rejects.toThrow(/rows \d+ and \d+: expected a member to be of one cluster, got two/);
    await expect(
      prepareShards({
        files,
        tokenizer,
        out: join(folder, "rows"),
        split: { heldOut: 20, seeds: { shuffle: 1, heldOut: 2, halves: 3 } },
        clusters: table,
      }),
    ).rejects.toThrow(/expected a split by content with clusters/);
    expect(readdirSync(join(folder, "wrong"))).toEqual([]);
  });

  it("are not mixed, nor cut into windows", () => {
    expect(() => windowed(train, { length: 20, seed: 0 })).toThrow(/got a data set that is sampled by clusters/);
    expect(() => mix([{ dataset: train, weight: 1 }])).toThrow(/got a data set that is sampled by clusters/);
  });
});
