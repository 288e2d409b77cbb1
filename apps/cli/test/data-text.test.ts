// The data commands and --data on text, tables, Parquet and mixtures, on small files made here.
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { isDocumentDataset } from "@cloze/data";
import { openShards } from "@cloze/data/node";
import { esm2 } from "@cloze/tokenizer-protein";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { tokenizerFrom } from "../src/tokenizers.ts";
import { openTrainingData, type DataRequest, type TrainingData } from "../src/training-data.ts";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const WORDS = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far", "away", "red", "blue"];
write(
  "vocab.txt",
  [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    ".",
    ",",
    "##s",
    ...WORDS,
    ...Array.from({ length: 300 }, (_, i) => `filler${i}`),
  ].join("\n"),
);
const sentence = (i: number): string =>
  `${Array.from({ length: 4 + (i % 5) }, (_, k) => WORDS[(i * 5 + k * (1 + (i % 3))) % WORDS.length]).join(" ")} .`;
const documents = Array.from({ length: 200 }, (_, d) =>
  Array.from({ length: 2 + (d % 3) }, (__, s) => `${sentence(d * 4 + s)} ${"a ".repeat(d % 17)}`.trim()),
);
const texts = documents.map((sentences) => sentences.join("\n"));
write("c.txt", texts.join("\n\n"));
write("c.jsonl.gz", gzipSync(texts.map((body) => JSON.stringify({ body })).join("\n")));
write(
  "c.parquet",
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "label", data: texts.map((_, i) => i) },
        { name: "text", data: texts },
      ],
    }),
  ),
);
write(
  "proteins.csv",
  "name,sequence\n" +
    Array.from({ length: 60 }, (_, i) => `p${i},MKTAYIAKQR${"ACDEFGHIKL".repeat(1 + (i % 4))}\n`).join(""),
);
write("p.fasta", Array.from({ length: 40 }, (_, i) => `>p${i}\nMKV${"LAGV".repeat(1 + (i % 9))}\n`).join(""));
write("dup.txt", `the cat sat .\n\nthe cat sat .\n\ndog\n\n${"a ".repeat(60)}\n\na unheard word\n\n\u00ff the mat\n`);
write("broken.csv", 'text\nthe cat\n"never closed\nthe dog\n');
write("latin1.txt", Buffer.from("caf\xe9 the cat sat\n", "latin1"));
write("empty.txt", "");
write("0.5:odd name.txt", "the cat sat on a mat .\n");

async function mistake(argv: readonly string[], ...holds: readonly string[]): Promise<void> {
  const ran = await run(...argv);
  expect(ran).toMatchObject({ code: 2, out: "" });
  expect(ran.err).toMatch(/^cloze: [^\n]+\n$/);
  for (const text of holds) expect(ran.err).toContain(text);
}

const narrow = (out: string): void => {
  for (const line of out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
};

describe("data prepare on text", () => {
  test("the same shards from text, JSONL and Parquet", async () => {
    const all: unknown[] = [];
    for (const [file, ...flags] of [["c.txt"], ["c.jsonl.gz", "--field", "body"], ["c.parquet"]] as const) {
      const ran = await run(
        "data",
        "prepare",
        file,
        ...flags,
        "--tokenizer",
        ".",
        "--out",
        `shards-${file}`,
        "--valid",
        "0.2",
        "--json",
      );
      expect(ran).toMatchObject({ code: 0, err: "" });
      expect(ran.json()).toMatchObject({
        reused: false,
        dtype: "uint16",
        counts: { records: 200, text: { sentences: 599, unknownTokens: 0 } },
      });
      const { splits } = ran.json() as {
        splits: Record<string, { shards: { sha256: string; sentences: { sha256: string } }[] }>;
      };
      all.push(
        Object.values(splits).map(({ shards }) => shards.map(({ sha256, sentences }) => [sha256, sentences.sha256])),
      );
    }
    expect(all[1]).toEqual(all[0]);
    expect(all[2]).toEqual(all[0]);
    expect(
      (await run("data", "prepare", "c.txt", "--tokenizer", ".", "--out", "shards-c.txt", "--valid", "0.2")).out,
    ).toContain("(was there already)");
    await mistake(
      [
        "data",
        "prepare",
        "c.txt",
        "--tokenizer",
        ".",
        "--out",
        "shards-c.txt",
        "--valid",
        "0.2",
        "--documents",
        "line",
      ],
      "pass --overwrite",
    );
    const seen = await run("data", "inspect", "shards-c.txt/tokens.json");
    expect(seen.out).toContain("checksums match");
    expect(seen.out).toMatch(/ {2}documents {2}\d+\n {2}sentences {2}\d+\n {2}tokens {5}/);
    narrow(seen.out);
  });

  test("filters, and says what it left out", async () => {
    const ran = await run(
      "data",
      "prepare",
      "dup.txt",
      "--tokenizer",
      ".",
      "--out",
      "filtered",
      "--valid",
      "0",
      "--dedup",
      "--min-tokens",
      "2",
      "--max-length",
      "100",
    );
    expect(ran.out).toMatch(/^train +3 /m);
    expect(ran.out).toContain(
      "read      6 documents, 6 sentences, 171 characters of 184 B\nleft out  1 duplicate, 1 too short, 1 too " +
        "long\nunknown   3 tokens, 30.00 %\n",
    );
    narrow(ran.out);
  });

  test("proteins of a table are those of a FASTA", async () => {
    expect(
      (await run("data", "prepare", "proteins.csv", "--out", "from-csv", "--valid", "0", "--json")).json(),
    ).toMatchObject({ dtype: "uint8", counts: { records: 60 }, tokenizer: { name: "esm2" } });
    const shards = await openShards(join(dir, "from-csv/tokens.json"), { tokenizer: esm2() });
    expect([...shards.read(0)]).toEqual([...esm2().encode("MKTAYIAKQRACDEFGHIKL", { special: false }).ids]);
    expect(
      (await run("data", "prepare", "p.fasta", "--dedup", "--out", "unique", "--valid", "0", "--json")).json(),
    ).toMatchObject({ splits: { train: { documents: 9 } }, counts: { text: { duplicates: 31 } } });
  });

  test("mistakes", async () => {
    const to = ["--tokenizer", ".", "--out", "x"];
    await mistake(
      ["data", "prepare", "broken.csv", ...to],
      "broken.csv, line 3: expected the quote that opens here to be closed",
    );
    await mistake(
      ["data", "prepare", "proteins.csv", ...to, "--field", "seq"],
      'proteins.csv, line 2: expected a field "seq" with the text, got "name", "sequence"',
    );
    await mistake(["data", "prepare", "empty.txt", ...to], "expected text in empty.txt, got 0 records");
    await mistake(
      ["data", "prepare", "c.txt", ...to, "--min-length", "9", "--max-length", "3"],
      "--min-length to be at most --max-length, got 9 and 3",
    );
    await mistake(["data", "prepare", "0.3:c.txt", ...to], "got a weight for c.txt");
    await mistake(["data", "prepare", "shards-c.txt/tokens.json", ...to], "prepared already");
    await mistake(
      ["data", "prepare", "c.txt", ...to, "--max-record", "5"],
      "c.txt, line 1: expected a line of at most 5 bytes",
    );
    await mistake(
      ["data", "prepare", "c.txt", ...to, "--format", "docx"],
      "--format: expected one of fasta, text, jsonl, csv, tsv, parquet",
    );
    const offline = await run("data", "prepare", "owner/name:default", ...to);
    expect(offline.err).toContain("hf://datasets/owner/name: expected the network, got HF_HUB_OFFLINE");
    expect(offline.code).not.toBe(0);
  });
});

describe("data inspect on text", () => {
  test("documents, sentences, lengths, duplicates", async () => {
    const ran = await run("data", "inspect", "c.txt", "c.jsonl.gz", "--field", "body", "--dedup");
    expect(ran.out).toContain("c.txt: text, ");
    expect(ran.out.match(/ {2}documents {2}200\n {2}sentences {2}599\n/g)).toHaveLength(2);
    narrow(ran.out);
    expect((await run("data", "inspect", "dup.txt", "--dedup", "--json")).json()).toMatchObject({
      files: [{ kind: "text", format: "text", report: { records: 6 }, duplicates: 1 }],
    });
    expect((await run("data", "inspect", "latin1.txt")).out).toContain("1 invalid UTF-8 sequence");
    await mistake(["data", "inspect", "broken.csv"], "broken.csv, line 3");
  });
});

describe("--data", () => {
  const open = async (files: readonly string[], more: Partial<DataRequest> = {}): Promise<TrainingData> =>
    openTrainingData({
      files,
      tokenizer: await tokenizerFrom(dir, (given) => given),
      validShare: 0.1,
      path: (given) => join(dir, given),
      ...more,
    });
  const total = (data: TrainingData): number =>
    [data.train, data.valid].reduce(
      (n, set) => n + Array.from({ length: set.size }, (_, i) => set.lengthOf(i)).reduce((a, b) => a + b, 0),
      0,
    );

  test("text as documents, as windows, as sentences: the same tokens", async () => {
    const whole = await open(["c.txt"]);
    const cut = await open(["c.txt"], { window: { length: 12, seed: 0 } });
    const sentences = await open(["c.txt"], { unit: "sentences" });
    const shards = await open(["shards-c.txt/tokens.json"], { unit: "sentences" });
    expect([
      whole.train.size + whole.valid.size,
      sentences.train.size + sentences.valid.size,
      shards.train.size + shards.valid.size,
    ]).toEqual([200, 599, 599]);
    expect(new Set([whole, cut, sentences, shards].map(total)).size).toBe(1);
    expect([
      isDocumentDataset(whole.train),
      isDocumentDataset(sentences.train),
      isDocumentDataset(shards.train),
    ]).toEqual([false, true, true]);
    expect(Math.max(...Array.from({ length: cut.train.size }, (_, i) => cut.train.lengthOf(i)))).toBe(12);
    expect(
      [whole.summary, cut.summary, sentences.summary, shards.summary].map((line) => line.replace(/\d+/g, "N")),
    ).toEqual([
      "N documents to train on, N held out",
      "N windows of documents to train on, N held out",
      "N sentences to train on, N held out",
      "N sentences to train on, N held out, from shards of wordpiece",
    ]);
  });

  test("several, one after another or by weight; names may hold colons", async () => {
    const alone = await open(["c.txt"]);
    const joined = await open(["c.txt", "c.parquet"]);
    expect(joined.train.size).toBe(2 * alone.train.size);
    const mixed = await open(["0.75:c.txt", "0.25:dup.txt"], { validShare: 0 });
    const pairs = await open(["3:c.txt", "1:c.parquet"], { unit: "sentences" });
    let few = 0;
    let all = 0;
    for (let i = 0; i < mixed.train.size; i++) {
      all += mixed.train.lengthOf(i);
      if (i >= 200) few += mixed.train.lengthOf(i);
    }
    expect(few / all).toBeGreaterThan(0.23);
    expect(few / all).toBeLessThan(0.27);
    expect(isDocumentDataset(pairs.train)).toBe(true);
    expect(pairs.valid.size).toBe(2 * (await open(["c.txt"], { unit: "sentences" })).valid.size);
    expect((await open(["0.5:odd name.txt"], { validShare: 0 })).train.size).toBe(1);
    expect((await open(["1:0.5:odd name.txt"], { validShare: 0 })).train.size).toBe(1);
  });

  test("residues: tables, FASTA, and a sequence a line", async () => {
    const tokenizer = esm2();
    const table = await open(["proteins.csv"], { tokenizer, window: { length: 8, seed: 0 } });
    expect(table.train.size + table.valid.size).toBe(60);
    expect((await open(["proteins.csv", "p.fasta"], { tokenizer })).summary).toMatch(
      /^\d+ sequences to train on, \d+ held out$/,
    );
    write("lines.txt", "MKT\nAYI\n\nAKQR\n");
    expect((await open(["lines.txt"], { tokenizer, validShare: 0 })).train.size).toBe(3);
    expect((await open(["p.fasta"], { tokenizer, unit: "sentences" })).train).not.toHaveProperty("documents");
  });

  test("mistakes", async () => {
    await expect(open(["0.5:c.txt", "c.parquet"])).rejects.toThrow(
      "--data expected a weight for each of 0.5:c.txt c.parquet, got 1.",
    );
    await expect(open(["0:c.txt"])).rejects.toThrow("--data 0:c.txt: expected a weight above 0, got 0.");
    await expect(open(["proteins.csv"])).rejects.toThrow(
      /expected text for the tokenizer wordpiece, got 100 % unknown tokens\. Name another --tokenizer, --field or --format\./,
    );
    await expect(open(["empty.txt"])).rejects.toThrow(/--data: expected documents to train on, got none in empty\.txt/);
    await expect(open(["odd.txt"])).rejects.toThrow(
      /--data odd\.txt: expected a FASTA file, text, .* got nothing there/,
    );
    await expect(open(["0.5:odd name.txt"])).rejects.toThrow(/too few to hold out 10 % for validation/);
    await expect(open(["c.txt", "p.fasta"], { unit: "sentences" })).rejects.toThrow(
      /expected documents with sentences in all parts, got FASTA/,
    );
  });
});
