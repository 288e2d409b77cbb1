/**
 * Training: comparison with Python's trainer (tooling/golden/tokenizer-wordpiece.py makes the expected values), and
 * training on files of many kinds.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { execFileSync, spawn } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { wordPiece } from "../src/index.ts";
import { countFiles } from "../src/node.ts";
import {
  WordCounter,
  trainVocabulary,
  type VocabularyOptions,
  type WordCounts,
  type WordOptions,
} from "../src/train.ts";

type Run = VocabularyOptions & WordOptions & { readonly vocabulary: string[] };
const { training } = JSON.parse(readFileSync(new URL("./golden/tokenizers.json", import.meta.url), "utf8")) as {
  readonly training: { readonly text: string; readonly runs: readonly Run[] };
};

function counted(text: string, options: WordOptions = {}): WordCounts {
  const counter = new WordCounter(options);
  counter.add(text);
  return counter.words();
}
const listed = (counts: WordCounts): Record<string, number> =>
  Object.fromEntries(
    Array.from({ length: counts.size }, (_, entry) => [counts.word(entry), counts.count(entry)] as const).toSorted(
      ([a], [b]) => (a < b ? -1 : 1),
    ),
  );

describe("trainVocabulary", () => {
  it.each(training.runs.map((run) => [JSON.stringify({ ...run, vocabulary: run.vocabulary.length }), run] as const))(
    "%s: Python's, token by token",
    (_, { vocabulary, lowercase = true, ...options }) => {
      expect(trainVocabulary(counted(training.text, { lowercase }), options)).toEqual(vocabulary);
    },
  );

  it("does not depend on the order of texts", () => {
    const forward = new WordCounter();
    const backward = new WordCounter();
    const lines = training.text.split("\n");
    for (const line of lines) forward.add(line);
    for (const line of lines.toReversed()) backward.add(line);
    expect(trainVocabulary(backward.words(), { size: 500 })).toEqual(trainVocabulary(forward.words(), { size: 500 }));
  });

  it("keeps the most frequent characters, of equal ones those of smaller code points", () => {
    const words = counted("aaaa bbb cc dd ee zz");
    const options = { minFrequency: 99, specialTokens: ["[UNK]"] };
    expect(trainVocabulary(words, { ...options, alphabetLimit: 4 })).toEqual([
      "[UNK]",
      "a",
      "b",
      "c",
      "d",
      "##a",
      "##b",
      "##c",
      "##d",
    ]);
    expect(trainVocabulary(words, { ...options, alphabetLimit: 2, initialAlphabet: ["z", "9"] })).toEqual([
      "[UNK]",
      "9",
      "z",
      "##z",
    ]);
    expect(trainVocabulary(words, { ...options, alphabetLimit: 1, initialTokens: ["whole"] })).toEqual([
      "[UNK]",
      "whole",
      "a",
      "##a",
    ]);
  });

  it("leaves characters outside the alphabet out of their words", () => {
    expect(
      trainVocabulary(counted("axb axb axb axxb"), { alphabetLimit: 2, minFrequency: 4, specialTokens: [] }),
    ).toEqual(["a", "x", "##x", "ax"]);
  });

  it("tells how far it is", () => {
    const seen: number[] = [];
    const tokens = trainVocabulary(counted(training.text), { size: 700, onProgress: (n) => seen.push(n) });
    expect(seen.at(-1)).toBe(tokens.length);
    expect(seen.length).toBeGreaterThan(1);
  });

  it("splits its own corpus without unknown words", () => {
    const tokenizer = wordPiece({ vocabulary: trainVocabulary(counted(training.text), { size: 600 }) });
    expect([...tokenizer.encodeIds(training.text)]).not.toContain(tokenizer.special.unknown);
  });

  it.each([
    ["", {}, /expected words to train on, got none/],
    [
      "abc",
      { size: 7 },
      /expected a size of at least 10 for the special tokens and an alphabet of 3 characters, got 7/,
    ],
    ["abc", { initialAlphabet: ["ab"] }, /expected single characters in initialAlphabet, got "ab"/],
    ["abc", { initialTokens: [""] }, /expected special and initial tokens of at least one character/],
  ] as const)("refuses %j %j", (text, options, message) => {
    expect(() => trainVocabulary(counted(text), options)).toThrow(message);
  });
});

describe("countFiles", () => {
  const dir = mkdtempSync(join(tmpdir(), "cloze-words-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const text = `${training.text}\nÀ l'été 漢字 👩\u200d👧 x\u0000y\n`;
  const plain = write("plain.txt", text);

  it("counts as one text does; plain and gzip, on threads and without", async () => {
    const expected = listed(counted(text));
    const zipped = write("zipped", gzipSync(text));
    expect(expected).toMatchObject({ 字: 1, ete: 1, xy: 1, 漢: 225 });
    for (const workers of [0, 2])
      for (const file of [plain, zipped])
        expect(listed((await countFiles([file], { workers })).words())).toEqual(expected);
  });

  it("adds files up, whichever thread counts them", async () => {
    const rest = write("rest.txt", "one two\ntwo");
    const seen: number[] = [];
    const counter = await countFiles([rest, plain, rest], {
      workers: 3,
      onProgress: ({ bytesRead }) => seen.push(bytesRead),
    });
    expect(listed(counter.words())).toEqual(listed(counted(`one two\ntwo\n${text}\none two\ntwo`)));
    expect(seen.at(-1)).toBe(2 * 11 + Buffer.byteLength(text));
  });

  it("cuts chunks between words: ten megabytes in one line, on threads", async () => {
    const line = write("line.txt", "été unaffable, 漢字 ".repeat(400_000));
    expect(listed((await countFiles([line], { workers: 2 })).words())).toEqual({
      ",": 400_000,
      ete: 400_000,
      unaffable: 400_000,
      字: 400_000,
      漢: 400_000,
    });
  });

  it("takes bytes that are no UTF-8 for nothing, and counts them", async () => {
    const broken = write(
      "broken.txt",
      Buffer.concat([Buffer.from("caf"), Buffer.of(0xe9, 0x20, 0xff, 0xfe), Buffer.from(" ok"), Buffer.of(0xf0, 0x9f)]),
    );
    const counter = await countFiles([broken]);
    expect(listed(counter.words())).toEqual({ caf: 1, ok: 1 });
    expect(counter.replacements).toBe(4);
  });

  it.each([
    ["nothing", [], {}, /expected at least one file, got none/],
    ["no such file", ["none.txt"], {}, /none.txt: expected a file of text, found nothing there/],
    ["a folder", ["."], {}, /expected a file of text, got a folder/],
    ["half a worker", ["plain.txt"], { workers: 0.5 }, /expected a number of workers of 0 or more, got 0.5/],
  ] as const)("refuses %s", async (_, names, options, message) => {
    await expect(
      countFiles(
        names.map((name) => join(dir, name)),
        options,
      ),
    ).rejects.toThrow(message);
  });

  it("says where gzip data breaks off", async () => {
    const cut = write("cut.gz", gzipSync(text).subarray(0, 900));
    await expect(countFiles([cut])).rejects.toThrow(/cut.gz, after \d+ bytes of text: expected gzip data to its end/);
    const longer = write("longer.gz", Buffer.concat([gzipSync(text), Buffer.from("more")]));
    await expect(countFiles([longer])).rejects.toThrow(/longer.gz: expected gzip data and nothing after it/);
  });

  it("reads a pipe as the file that goes through it", async () => {
    const expected = listed((await countFiles([write("plain.txt", text)])).words());
    for (const [name, content] of [
      ["plain", text],
      ["zipped", gzipSync(text)],
    ] as const) {
      const from = write(`${name}.content`, content);
      execFileSync("mkfifo", [`${from}.fifo`]);
      spawn("sh", ["-c", `cat ${from} > ${from}.fifo`], { stdio: "ignore" }).unref();
      expect(listed((await countFiles([`${from}.fifo`])).words()), name).toEqual(expected);
    }
  });
});
