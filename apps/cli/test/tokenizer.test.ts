// Tokenizers of text on the command line: trained, shown, and told apart from tokenizers of residues.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { bpe } from "@cloze/tokenizer-bpe";
import { WordCounter, trainMerges } from "@cloze/tokenizer-bpe/train";
import { protbert } from "@cloze/tokenizer-protein";
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { describe, expect, test } from "vitest";
import { isBpe, isWordPiece, tokenizerOfFolder } from "../src/tokenizers.ts";
import { cli } from "./run-cli.ts";

const { run, piped, write, dir } = cli();
const text = "The cats sat on the mats.\nA cat sits where the other cats sat, the café's mat.\n".repeat(20);
write("corpus.txt", text);
write("corpus.txt.gz", gzipSync(text));
write(
  "corpus.jsonl",
  text
    .trimEnd()
    .split("\n")
    .map((line) => `${JSON.stringify({ text: line, label: "zzzz" })}\n`)
    .join(""),
);

async function mistake(argv: readonly string[], said: string): Promise<void> {
  const ran = await run(...argv);
  expect(ran).toMatchObject({ code: 2, out: "" });
  expect(ran.err).toMatch(/^cloze: [^\n]+\n$/);
  expect(ran.err).toContain(said);
}

/** A folder with these files. */
function folder(name: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(join(dir, name), { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(dir, name, file), content);
  return name;
}

describe("tokenizer train", () => {
  test("the same vocabulary from text, gzip and rows; files that open", async () => {
    const ran = await run(
      "tokenizer",
      "train",
      "--data",
      "corpus.txt",
      "--size",
      "45",
      "--out",
      "a",
      "--name",
      "cats",
      "--json",
    );
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.json()).toMatchObject({
      tokenizer: { name: "cats", vocabularySize: 45 },
      words: 440,
      invalid: 0,
      files: ["tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"],
    });
    const vocabulary = readFileSync(join(dir, "a", "vocab.txt"), "utf8");
    for (const [data, out] of [
      ["corpus.txt.gz", "b"],
      ["corpus.jsonl", "c"],
    ] as const) {
      expect(await run("tokenizer", "train", "--data", data, "--size", "45", "--out", out)).toMatchObject({ code: 0 });
      expect(readFileSync(join(dir, out, "vocab.txt"), "utf8")).toBe(vocabulary);
    }
    expect((await tokenizerOfFolder(join(dir, "a"))).hash).toBe(
      (ran.json()["tokenizer"] as { readonly hash: string }).hash,
    );
  });

  test("cased, with tokens of one's own, and less than was asked for", async () => {
    const ran = await run(
      "tokenizer",
      "train",
      "--data",
      "corpus.txt",
      "--cased",
      "--token",
      "Felis",
      "catus",
      "--out",
      "cased",
    );
    expect(ran.out).toMatch(/^\d+ tokens from 440 words, \d+ of them distinct; no more pairs occur 2 times\n/);
    const vocabulary = readFileSync(join(dir, "cased", "vocab.txt"), "utf8").split("\n");
    expect(vocabulary.slice(5, 7)).toEqual(["Felis", "catus"]);
    expect(vocabulary).toEqual(expect.arrayContaining(["The", "the", "café"]));
  });

  test("a line of twelve megabytes, and bytes that are no UTF-8", async () => {
    write("long.txt", Buffer.concat([Buffer.from("the cat sat on 猫 ".repeat(600_000)), Buffer.of(0xff, 0xfe)]));
    const ran = await run("tokenizer", "train", "--data", "long.txt", "--size", "100", "--out", "long");
    expect(ran.out).toContain("from 3,000,000 words, 5 of them distinct");
    expect(ran.out).toContain("2 characters that are no valid UTF-8 left out");
  });

  test("mistakes", async () => {
    write("empty.txt", "");
    write("p.fasta", ">a\nMKT\n");
    const train = (...argv: readonly string[]): readonly string[] => ["tokenizer", "train", "--out", "x", ...argv];
    await mistake(train("--data", "empty.txt"), "expected text to train on, got none in empty.txt");
    await mistake(train("--data", "none.txt"), "none.txt: expected a file");
    await mistake(train("--data", "p.fasta"), "--data p.fasta: expected text, got residues");
    await mistake(train("--data", "corpus.txt", "--size", "10"), "--size: expected a vocabulary of at least");
    await mistake(["tokenizer", "train", "--data", "corpus.txt", "--out", "a"], "expected no tokenizer in");
    expect(
      await run("tokenizer", "train", "--data", "corpus.txt", "--out", "a", "--overwrite", "--size", "45"),
    ).toMatchObject({ code: 0 });
  });
});

describe("tokenize", () => {
  const tokenizer = folder(
    "words",
    wordPiece({ vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "sat", "."] }).files(),
  );

  test("texts of arguments, lines of a file and of standard input", async () => {
    const ran = await run("tokenize", "--tokenizer", tokenizer, "The cats sat [MASK].", "dog");
    expect(ran.out.split("\n").slice(0, 3)).toEqual([
      "[CLS] the cat ##s sat [MASK] . [SEP]",
      "2 5 6 7 8 4 9 3",
      "8 tokens of 5 words",
    ]);
    expect(ran.out).toContain("3 tokens of 1 word; unknown: d 1");
    write("lines.txt", "the cat\r\n\n>sat");
    const { sequences } = (await run("tokenize", "--tokenizer", tokenizer, "--file", "lines.txt", "--json")).json();
    expect(sequences).toMatchObject([
      { ids: [2, 5, 6, 3], words: [-1, 0, 1, -1], types: [0, 0, 0, 0] },
      { ids: [2, 1, 8, 3] },
    ]);
    expect(
      (await piped("the cat\n\n>sat\n", "tokenize", "--tokenizer", tokenizer, "--json")).json()["sequences"],
    ).toEqual(sequences);
  });

  test("a pair in windows, token by token", async () => {
    const ran = await run(
      "tokenize",
      "--tokenizer",
      tokenizer,
      "the cat",
      "--pair",
      "cats sat. the",
      "--max-length",
      "7",
      "--stride",
      "1",
      "--table",
    );
    expect(ran.out.split("\n").slice(0, 8)).toEqual([
      "token  id  from  to  word  type",
      "[CLS]   2                     0",
      "the     5     0   3     0     0",
      "cat     6     4   7     1     0",
      "[SEP]   3                     0",
      "cat     6     0   3     0     1",
      "##s     7     3   4     0     1",
      "[SEP]   3                     1",
    ]);
    expect(
      (
        await run(
          "tokenize",
          "--tokenizer",
          tokenizer,
          "the cat",
          "--pair",
          "cats sat. the",
          "--max-length",
          "7",
          "--stride",
          "1",
          "--json",
        )
      ).json(),
    ).toMatchObject({ sequences: [{ truncated: 3, overflow: [{ ids: [2, 5, 6, 3, 7, 8, 3] }, {}, {}] }] });
  });

  test("what belongs to residues stays with them, however it is named", async () => {
    const vocab = protbert().files()["vocab.txt"] as string;
    const published = folder("protbert", {
      "vocab.txt": vocab,
      "tokenizer_config.json": '{"do_lower_case": false, "tokenizer_class": "BertTokenizer"}',
    });
    expect((await run("tokenize", "--tokenizer", published, "MKT")).out).toContain("[CLS] M K T [SEP]");
    expect((await tokenizerOfFolder(join(dir, folder("saved", protbert().files())))).hash).toBe(protbert().hash);
    const bert = folder("bert", { "vocab.txt": "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n##s\n" });
    expect((await run("tokenize", "--tokenizer", bert, "The")).out).toContain("2 5 3");
    const counter = new WordCounter();
    counter.add(text);
    const bytes = bpe(trainMerges(counter.words(), { size: 300 }));
    const files = bytes.files();
    const opened = await tokenizerOfFolder(join(dir, folder("bytes", files)));
    expect([opened.hash, isBpe(opened), isWordPiece(opened)]).toEqual([bytes.hash, true, false]);
    const { "tokenizer.json": alone = "" } = files;
    expect((await tokenizerOfFolder(join(dir, folder("bytes-alone", { "tokenizer.json": alone })))).hash).toBe(
      bytes.hash,
    );
    expect((await run("tokenize", "--tokenizer", "bytes", "the cats")).out).toContain(
      `2 ${[...bytes.encodeIds("the cats")].join(" ")} 3`,
    );
  });

  test("mistakes", async () => {
    await mistake(["tokenize", "MKT", "--pair", "MK"], 'expected a tokenizer of text with --pair, got "esm2"');
    const unigram = JSON.stringify({
      model: {
        type: "Unigram",
        vocab: [
          ["<unk>", 0],
          ["a", -1],
        ],
      },
      added_tokens: [],
    });
    await mistake(
      ["tokenize", "a", "--tokenizer", folder("unigram", { "tokenizer.json": unigram })],
      `${join("unigram", "tokenizer.json")}, model.type: expected`,
    );
    await mistake(
      ["tokenize", "a", "--tokenizer", folder("twice", { "vocab.txt": "[PAD]\n[UNK]\nthe\ncat\nthe\n" })],
      `${join("twice", "vocab.txt")}: expected one token per id, got "the" with the id 4, which Python gives to the ` +
        'added token "[SEP]". The id 2, line 3 of a vocab.txt, has no token',
    );
    await mistake(
      ["tokenize", "a", "--tokenizer", folder("lost", { "vocab.txt": "[PAD]\nthe\n##s\n" })],
      'expected the unk_token "[UNK]" in the vocabulary',
    );
  });
});
