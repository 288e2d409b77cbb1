/**
 * Comparison with Python tokenizers and transformers. tooling/golden/tokenizer-wordpiece.py and
 * tokenizer-wordpiece-tables.py make the expected values.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { TextEncodeOptions, TextEncoding, TextInput } from "@cloze/tokenizer";
import { codePoints } from "../src/code-points.ts";
import { wordPiece, wordPieceFromFiles, type WordPieceOptions, type WordPieceTokenizer } from "../src/index.ts";
import { normalize, type NormalizerOptions } from "../src/normalize.ts";
import { forEachWord } from "../src/word-pieces.ts";

interface Plain {
  readonly ids: number[];
  readonly offsets: number[];
  readonly words: number[];
  readonly decoded: string;
  readonly clean: string;
}
interface Row {
  readonly ids: number[];
  readonly offsets: number[];
  readonly types: number[];
  readonly words: number[];
  readonly sequences: number[];
}
interface Cut extends Required<
  Pick<TextEncodeOptions, "special" | "maxLength" | "stride" | "truncate" | "truncateSide">
> {
  readonly text: TextInput;
  readonly pair: TextInput | null;
  readonly rows?: readonly Row[];
  readonly refused?: true;
}
interface Config {
  readonly class: string;
  readonly savedFromOurs: Readonly<Record<string, string>>;
  readonly cases: readonly Plain[];
  readonly cuts: readonly Cut[];
}

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`./golden/${name}`, import.meta.url), "utf8"));
const golden = read("tokenizers.json") as {
  readonly vocabulary: string[];
  readonly texts: string[];
  readonly configs: Readonly<Record<string, Config>>;
  readonly added: { readonly saved: Readonly<Record<string, string>>; readonly cases: readonly Plain[] };
};

/** Python counts offsets in code points, we in UTF-16 units. */
function utf16(text: string, offsets: readonly number[]): number[] {
  const at = [0];
  for (const c of text) at.push((at.at(-1) as number) + c.length);
  return offsets.map((o) => at[o] as number);
}

function expectPlain(tokenizer: WordPieceTokenizer, text: string, expected: Plain): void {
  const encoding = tokenizer.encode(text);
  expect([...encoding.ids]).toEqual(expected.ids);
  expect([...encoding.offsets]).toEqual(utf16(text, expected.offsets));
  expect([...encoding.words]).toEqual(expected.words);
  expect([...tokenizer.encodeIds(text)]).toEqual(expected.ids.slice(1, -1));
  expect(tokenizer.decode(encoding.ids, { skipSpecial: false, cleanUp: "tokens" })).toBe(expected.decoded);
  expect(tokenizer.decode(encoding.ids, { cleanUp: "text" })).toBe(expected.clean);
}

const configs: readonly (readonly [string, Partial<WordPieceOptions>])[] = [
  ["uncased", {}],
  ["cased", { lowercase: false }],
  ["accented", { stripAccents: false }],
];

describe.each(configs)("%s", (name, options) => {
  const tokenizer = wordPiece({ name, vocabulary: golden.vocabulary, ...options });
  const expected = golden.configs[name] as Config;

  it.each(golden.texts.map((text, i) => [JSON.stringify(text).slice(0, 60), text, i] as const))("%s", (_, text, i) => {
    expectPlain(tokenizer, text, expected.cases[i] as Plain);
  });

  it("says the same of a text it has met before", () => {
    for (const [i, text] of golden.texts.entries()) expectPlain(tokenizer, text, expected.cases[i] as Plain);
  });

  it("is a BertTokenizer there, and reads what Python saved of it", () => {
    expect(expected.class).toBe("BertTokenizer");
    const again = wordPieceFromFiles(expected.savedFromOurs);
    expect(again.hash).toBe(tokenizer.hash);
    expect(again.config).toEqual(tokenizer.config);
  });

  it("reads its own files, all four and vocab.txt beside its settings", () => {
    const files = tokenizer.files();
    const { "tokenizer.json": _, ...without } = files;
    expect(wordPieceFromFiles(files).files()).toEqual(files);
    expect(wordPieceFromFiles(without).hash).toBe(tokenizer.hash);
    expect(wordPieceFromFiles({ "vocab.txt": files["vocab.txt"] as string }, options).hash).toBe(tokenizer.hash);
  });
});

describe("pairs, truncation, windows, words", () => {
  const tokenizer = wordPiece({ vocabulary: golden.vocabulary });
  const { cuts } = golden.configs["uncased"] as Config;
  const inUnits = (text: TextInput, offset: number, word: number): number =>
    utf16(typeof text === "string" ? text : (text[word] as string), [offset])[0] as number;

  it.each(cuts.map((cut) => [JSON.stringify({ ...cut, rows: undefined }).slice(0, 160), cut] as const))(
    "%s",
    (_, cut) => {
      const { text, pair, rows, refused, ...options } = cut;
      const given = { ...options, ...(pair === null ? {} : { pair }) };
      if (refused === true || rows === undefined) {
        expect(() => tokenizer.encode(text, given)).toThrow(/^encode: expected /);
        return;
      }
      const encoding = tokenizer.encode(text, given);
      const plain = ({ ids, offsets, types, words, sequences }: TextEncoding): Row => ({
        ids: [...ids],
        offsets: [...offsets],
        types: [...types],
        words: [...words],
        sequences: [...sequences],
      });
      expect([encoding, ...encoding.overflow].map(plain)).toEqual(
        rows.map((row) => ({
          ...row,
          offsets: row.offsets.map((offset, i) => {
            const sequence = row.sequences[i >> 1] as number;
            return sequence < 0
              ? 0
              : inUnits(sequence === 0 ? text : (pair as TextInput), offset, row.words[i >> 1] as number);
          }),
        })),
      );
    },
  );
});

describe("added tokens, saved by Python", () => {
  const tokenizer = wordPieceFromFiles(golden.added.saved);

  it.each(
    [...golden.texts, "<ent> New York<ent>"].map((text, i) => [JSON.stringify(text).slice(0, 60), text, i] as const),
  )("%s", (_, text, i) => {
    expectPlain(tokenizer, text, golden.added.cases[i] as Plain);
  });

  it("survive our files", () => {
    const again = wordPieceFromFiles(tokenizer.files());
    expect(again.config).toEqual(tokenizer.config);
    expect(again.files()).toEqual(tokenizer.files());
    const { "tokenizer.json": _, ...without } = tokenizer.files();
    expect(wordPieceFromFiles(without).hash).toBe(tokenizer.hash);
  });
});

describe("every character", () => {
  const digests = read("code-points.json") as Readonly<Record<string, string>>;
  const points = codePoints();
  const all: readonly (readonly [string, Omit<NormalizerOptions, "cleanText" | "chineseCharacters">])[] = [
    ["uncased", { lowercase: true, stripAccents: true }],
    ["cased", { lowercase: false, stripAccents: false }],
    ["accented", { lowercase: true, stripAccents: false }],
  ];

  it.each(all)("%s: the words of a, the character, b", (name, options) => {
    const digest = createHash("sha256");
    const runs = (digests["assigned"] as string).split(" ").map((n) => Number.parseInt(n, 36));
    let lines = "";
    for (let i = 0, at = 0; i < runs.length; i += 2) {
      at += runs[i] as number;
      for (const end = at + (runs[i + 1] as number); at < end; at++) {
        const text = `a${String.fromCodePoint(at)}b`;
        const normalized = normalize(
          points,
          { cleanText: true, chineseCharacters: true, ...options },
          text,
          0,
          text.length,
        );
        const words: string[] = [];
        forEachWord(points, normalized, 0, normalized.codes.length, (from, to) =>
          words.push(String.fromCodePoint(...normalized.codes.slice(from, to))),
        );
        lines += `${words.join("|")}\n`;
      }
      digest.update(lines);
      lines = "";
    }
    expect(digest.digest("hex")).toBe(digests[name]);
  });
});
