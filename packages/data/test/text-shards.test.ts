import { ConfigError, FormatError } from "@cloze/errors";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import { mix, packedBatches, splitOf, windowed, type DocumentDataset, type TextDatasets } from "../src/index.ts";
import {
  openBatches,
  openDataset,
  openSentenceShards,
  openShards,
  prefetch,
  prepareDocuments,
  prepareShards,
  resolveSources,
  textDatasets,
  type PreparedShards,
} from "../src/node.ts";
import { scratch } from "./files.ts";
import { protein, textOf, tinyTokenizer } from "./tiny-tokenizer.ts";
import { wordTokenizer } from "./word-tokenizer.ts";

const { folder, write } = scratch();
const tokenizer = wordTokenizer();
const split = { seed: 1, valid: 0.2, test: 0.1 };

const word = (i: number): string =>
  Array.from({ length: 1 + (i % 7) }, (_, k) => String.fromCharCode(97 + ((i * 31 + k * 17) % 26))).join("");
const sentence = (d: number, s: number): string =>
  Array.from({ length: 1 + ((d * 3 + s) % 11) }, (_, w) => word(d * 100 + s * 10 + w)).join(" ");
const corpus: readonly (readonly string[])[] = Array.from({ length: 800 }, (_, d) =>
  Array.from({ length: 1 + (d % 5) }, (__, s) => sentence(d, s)),
);
const text = corpus.map((sentences) => sentences.join("\n")).join("\n\n");

/** The documents of a data set of sentences, each a list of sentences, each a list of ids. */
const documentsOf = async (data: DocumentDataset): Promise<number[][][]> =>
  Promise.all(
    Array.from({ length: data.documents }, async (_, d) => {
      const [first, end] = data.sentencesOf(d);
      return Promise.all(Array.from({ length: end - first }, async (__, s) => [...(await data.read(first + s))]));
    }),
  );

const expected = (name: string): number[][][] =>
  corpus
    .filter((sentences) => splitOf(new TextEncoder().encode(sentences.join("\n")), split) === name)
    .map((sentences) => sentences.map((one) => [...tokenizer.encodeIds(one)]));

let made: PreparedShards;
let memory: TextDatasets;
beforeAll(async () => {
  const sources = await resolveSources([write("corpus.txt", text)]);
  made = await prepareDocuments({ sources, tokenizer, out: join(folder, "out"), split, tokensPerShard: 3000 });
  memory = await textDatasets(sources, { tokenizer, split });
});

describe("prepareDocuments and textDatasets", () => {
  it.each(["train", "valid", "test"] as const)("keep every sentence of %s, in its document, in order", async (name) => {
    const shards = await openSentenceShards(made.path, { split: name, tokenizer });
    const whole = await openShards(made.path, { split: name, tokenizer });
    expect(await documentsOf(shards)).toEqual(expected(name));
    expect(await documentsOf(memory[name].sentences)).toEqual(expected(name));
    for (const documents of [whole, memory[name].documents]) {
      expect(Array.from({ length: documents.size }, (_, i) => [...documents.read(i)])).toEqual(
        expected(name).map((sentences) => sentences.flat()),
      );
      expect(documents.lengthOf(0)).toBe(expected(name)[0]?.flat().length);
    }
    expect(() => shards.read(shards.size)).toThrow(/expected a sentence from 0 to/);
    shards.close();
    whole.close();
  });

  it("write the widths that the vocabulary needs, and several files", async () => {
    expect(made.index.dtype).toBe("uint16");
    expect(made.index.splits["train"]?.shards.length).toBeGreaterThan(3);
    expect(readdirSync(join(folder, "out")).filter((file) => file.startsWith("tokens_train_000001"))).toEqual([
      "tokens_train_000001.bin",
      "tokens_train_000001.idx",
      "tokens_train_000001.sen",
    ]);
    for (const [size, dtype] of [
      [200, "uint8"],
      [65_536, "uint16"],
      [65_537, "uint32"],
    ] as const) {
      const wide = wordTokenizer(size);
      const { path, index } = await prepareDocuments({
        sources: await resolveSources([join(folder, "corpus.txt")]),
        tokenizer: wide,
        out: join(folder, dtype),
        split: { seed: 0, valid: 0 },
      });
      expect(index.dtype).toBe(dtype);
      expect(await documentsOf(await openSentenceShards(path, { tokenizer: wide }))).toEqual(
        corpus.map((sentences) => sentences.map((one) => [...wide.encodeIds(one)])),
      );
    }
  });

  it("are the same from Parquet, and from JSONL on the path of a tokenizer without encodeIds", async () => {
    const joined = corpus.map((sentences) => sentences.join("\n"));
    const { encodeIds: _, ...slow } = tokenizer;
    const parquet = write(
      "c.parquet",
      new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "text", data: joined }], rowGroupSize: 90 })),
    );
    const jsonl = write("c.jsonl", joined.map((one) => JSON.stringify({ text: one })).join("\n"));
    const [a, b] = [
      await textDatasets(await resolveSources([parquet]), { tokenizer, split }),
      await textDatasets(await resolveSources([jsonl]), { tokenizer: slow, split }),
    ];
    for (const other of [a, b]) expect(await documentsOf(other.train.sentences)).toEqual(expected("train"));
  });

  it("filter and count", async () => {
    const file = write(
      "filter.txt",
      `one two\n\none two\n\nthree\n\nfour five six seven eight\n\n...\n\n§ nine §\n\nOne two\n\n${"a ".repeat(50)}\n`,
    );
    const sources = await resolveSources([file]);
    const { train, counts } = await textDatasets(sources, {
      tokenizer,
      filter: { dedup: true, minLength: 2, maxLength: 90, minTokens: 2, maxTokens: 4 },
    });
    expect(train.documents.size).toBe(3); // one two; § nine §; One two
    expect(counts).toMatchObject({
      records: 8,
      empty: 0,
      emptied: 1,
      text: { sentences: 8, duplicates: 1, tooShort: 1, tooLong: 2, unknownTokens: 2, invalid: 0 },
    });
    const { index } = await prepareDocuments({
      sources,
      tokenizer,
      out: join(folder, "filter"),
      split: { seed: 0, valid: 0 },
      filter: { dedup: true, minTokens: 2 },
    });
    expect(index).toMatchObject({
      reading: { formats: "text", dedup: true, minTokens: 2 },
      counts: { records: 8, text: { duplicates: 1, tooShort: 1 } },
      splits: { train: { documents: 5 } },
    });
    for (const filter of [{ minLength: 3, maxLength: 2 }, { minTokens: -1 }])
      await expect(textDatasets(sources, { tokenizer, filter })).rejects.toThrow(/^filter: expected min/);
  });

  it("read proteins from a table as from FASTA", async () => {
    const residues = tinyTokenizer();
    const proteins = Array.from({ length: 200 }, (_, i) => protein(i));
    const table = write("p.tsv", `name\tsequence\n${proteins.map((one, i) => `p${i}\t${one}\n`).join("")}`);
    const fasta = write("p.fa", proteins.map((one, i) => `>p${i}\n${one}\n`).join(""));
    const a = await prepareDocuments({
      sources: await resolveSources([table]),
      tokenizer: residues,
      out: join(folder, "pt"),
      split,
    });
    const b = await prepareShards({ files: [fasta], tokenizer: residues, out: join(folder, "pf"), split });
    const c = await prepareDocuments({
      sources: await resolveSources([fasta]),
      tokenizer: tinyTokenizer({ fast: false }),
      out: join(folder, "pc"),
      split,
    });
    for (const name of ["train", "valid"]) {
      const [x, y, z] = await Promise.all(
        [a, b, c].map(async ({ path }) => {
          const data = await openShards(path, { split: name });
          return Array.from({ length: data.size }, (_, i) => textOf(data.read(i)));
        }),
      );
      expect(x).toEqual(y);
      expect(z).toEqual(y);
    }
    await expect(openSentenceShards(b.path)).rejects.toThrow(
      /expected shards of text, which know their sentences, got shards of FASTA/,
    );
  });

  it("are reused when nothing changed, refused when the reading did", async () => {
    const options = {
      sources: await resolveSources([join(folder, "corpus.txt")]),
      tokenizer,
      out: join(folder, "again"),
      split,
    };
    expect((await prepareDocuments(options)).reused).toBe(false);
    expect((await prepareDocuments(options)).reused).toBe(true);
    await expect(prepareDocuments({ ...options, reading: { documents: "line" } })).rejects.toThrow(
      /holds shards of other inputs or settings/,
    );
    await expect(prepareDocuments({ ...options, filter: { dedup: true } })).rejects.toSatisfy(ConfigError.isInstance);
    expect(
      (await prepareDocuments({ ...options, reading: { documents: "line" }, overwrite: true })).index.reading,
    ).toEqual({ formats: "text", documents: "line" });
  });

  it("leave nothing behind when a source is broken or holds nothing", async () => {
    const out = join(folder, "broken");
    const prepare = async (name: string, content: string): Promise<PreparedShards> =>
      prepareDocuments({ sources: await resolveSources([write(name, content)]), tokenizer, out, tokensPerShard: 100 });
    await expect(prepare("b.csv", `text\n${"some words here\n".repeat(500)}"never closed\n`)).rejects.toThrow(
      /b\.csv, line 502: expected the quote that opens here/,
    );
    await expect(prepare("e.txt", "\n\n")).rejects.toThrow(
      /expected text in e\.txt, got 0 records with nothing to store/,
    );
    expect(readdirSync(out)).toEqual([]);
  });

  it("report progress", async () => {
    const seen: number[] = [];
    await prepareDocuments({
      sources: await resolveSources([join(folder, "corpus.txt")]),
      tokenizer,
      out: join(folder, "progress"),
      onProgress: ({ bytesRead, bytesTotal, documents }) => seen.push(bytesRead / bytesTotal, documents),
    });
    expect(seen.slice(-2)).toEqual([1, 800]);
  });
});

describe("openSentenceShards", () => {
  it.each([
    [
      "changed sentence lengths",
      (bytes: Buffer) => {
        bytes[0] = (bytes[0] as number) ^ 1;
      },
      /\.sen: expected the SHA-256/,
    ],
    ["a short file", (bytes: Buffer) => bytes.subarray(0, 8), /\.sen: expected \d+ bytes for \d+ sentences, got 8/],
  ])("refuses %s", async (_, damage, message) => {
    const path = join(folder, "out", "tokens_train_000001.sen");
    const whole = readFileSync(path);
    const bytes = Buffer.from(whole);
    const changed = damage(bytes);
    writeFileSync(path, changed ?? bytes);
    try {
      await expect(openSentenceShards(made.path)).rejects.toThrow(message);
      await expect(openSentenceShards(made.path)).rejects.toSatisfy(FormatError.isInstance);
      expect((await openShards(made.path)).size).toBeGreaterThan(0);
    } finally {
      writeFileSync(path, whole);
    }
  });

  it("refuses the shards of another tokenizer", async () => {
    await expect(openSentenceShards(made.path, { tokenizer: wordTokenizer(900) })).rejects.toThrow(
      /expected shards of the tokenizer words \(words-900\), got words \(words-304\)/,
    );
  });
});

describe("batches of text", () => {
  const special = tokenizer.special;

  it("hold every token of long documents once an epoch, and resume at any step", async () => {
    const [source] = await resolveSources([
      write(
        "long.txt",
        Array.from({ length: 30 }, (_, d) =>
          Array.from({ length: 5 + d * 7 }, (__, w) => word(d * 1000 + w)).join(" "),
        ).join("\n\n"),
      ),
    ]);
    const { train } = await textDatasets(source === undefined ? [] : [source], { tokenizer });
    const windows = windowed(train.documents, { length: 30, seed: 4 });
    const options = { seed: 4, length: 32, rowsPerBatch: 1, special };
    const batches = packedBatches(windows, options);
    const all = Array.from({ length: train.documents.size }, (_, i) => [...train.documents.read(i)])
      .flat()
      .toSorted((a, b) => a - b);
    for (const epoch of [0, 1]) {
      const ids: number[] = [];
      const first = batches.firstStepOf(epoch);
      for (let step = first; step < first + batches.rowsIn(epoch); step++)
        ids.push(...(await batches.batchAt(step)).ids);
      expect(ids.filter((id) => id > 3).toSorted((a, b) => a - b)).toEqual(all);
    }
    const { recipe } = packedBatches(windowed(train.documents, { length: 30, seed: 4 }), options);
    if (recipe !== undefined)
      for (const step of [3, 90])
        expect(await (await openBatches(recipe)).batchAt(step)).toEqual(await batches.batchAt(step));
    expect(recipe?.dataset.kind).toBe("windows");
  });

  it("of a mixture of shards and memory are the same in worker threads", async () => {
    const shards = await openShards(made.path);
    const mixed = mix(
      [
        { dataset: windowed(shards, { length: 14, seed: 1 }), weight: 0.4 },
        { dataset: memory.valid.documents, weight: 0.6 },
      ],
      { by: "tokens" },
    );
    const batches = packedBatches(mixed, { seed: 2, length: 16, rowsPerBatch: 4, special });
    const queue = prefetch(batches, { from: 40, workers: 2 });
    for (let step = 40; step < 46; step++) expect(await queue.next()).toEqual(await batches.batchAt(step));
    await queue.close();
    shards.close();
  });

  it("reopens sentences from their handle", async () => {
    const sentences = await openSentenceShards(made.path, { split: "valid" });
    const again = await openDataset(sentences.handle);
    expect([...(await again.read(5))]).toEqual([...sentences.read(5)]);
    expect("sentencesOf" in again).toBe(true);
  });
});
