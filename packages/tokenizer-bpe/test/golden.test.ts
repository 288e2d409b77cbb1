/** Comparison with Python tokenizers and transformers. tooling/golden/tokenizer-bpe.py makes the expected values. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { TextEncodeOptions, TextEncoding, TextInput } from "@cloze/tokenizer";
import { bpe, bpeFromFiles, type BpeTokenizer } from "../src/index.ts";
import { WordCounter, trainMerges } from "../src/train.ts";

interface Plain {
  readonly ids: number[];
  readonly offsets: number[];
  readonly words: number[];
  readonly decoded: string;
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
type Files = Readonly<Record<string, string>>;
interface Config {
  readonly files: Files;
  readonly savedFromOurs: Files;
  readonly cases: readonly Plain[];
  readonly cuts: readonly Cut[];
}
interface Run {
  readonly size: number;
  readonly minFrequency: number;
  readonly addPrefixSpace: boolean;
  readonly vocabulary: string[];
  readonly merges: string[];
}

const golden = JSON.parse(readFileSync(new URL("./golden/tokenizers.json", import.meta.url), "utf8")) as {
  readonly texts: string[];
  readonly configs: Readonly<Record<string, Config>>;
  readonly training: { readonly text: string; readonly runs: readonly Run[] };
};

/** Python counts offsets in code points, we in UTF-16 units. */
function utf16(text: string, offsets: readonly number[]): number[] {
  const at = [0];
  for (const c of text) at.push((at.at(-1) as number) + c.length);
  return offsets.map((o) => at[o] as number);
}

function expectPlain(tokenizer: BpeTokenizer, text: string, expected: Plain): void {
  const encoding = tokenizer.encode(text);
  expect([...encoding.ids]).toEqual(expected.ids);
  expect([...encoding.offsets]).toEqual(utf16(text, expected.offsets));
  expect([...encoding.words]).toEqual(expected.words);
  expect([...tokenizer.encodeIds(text)]).toEqual(expected.ids.slice(1, -1));
  expect(tokenizer.decode(encoding.ids, { skipSpecial: false })).toBe(expected.decoded);
}

describe.each(Object.entries(golden.configs))("%s", (_name, config) => {
  const tokenizer = bpeFromFiles(config.files);

  it.each(golden.texts.map((text, i) => [JSON.stringify(text).slice(0, 60), text, i] as const))("%s", (_, text, i) => {
    expectPlain(tokenizer, text, config.cases[i] as Plain);
  });

  it("says the same of a text it has met before", () => {
    for (const [i, text] of golden.texts.entries()) expectPlain(tokenizer, text, config.cases[i] as Plain);
  });

  it("reads its own files, and what Python saved of them", () => {
    const files = tokenizer.files();
    const again = bpeFromFiles(files);
    const saved = bpeFromFiles(config.savedFromOurs);
    expect(again.config).toEqual(tokenizer.config);
    expect(again.files()).toEqual(files);
    expect(saved.hash).toBe(tokenizer.hash);
    expect(bpe(tokenizer.config).hash).toBe(tokenizer.hash);
  });
});

describe("pairs, truncation, windows, words", () => {
  const { files, cuts } = golden.configs["modern"] as Config;
  const tokenizer = bpeFromFiles(files);
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

describe("training", () => {
  it.each(golden.training.runs.map((run) => [run.size, run] as const))(
    "to %i tokens gives Python's vocabulary and merges",
    (_, { size, minFrequency, addPrefixSpace, vocabulary, merges }) => {
      const counter = new WordCounter({ addPrefixSpace });
      for (const line of golden.training.text.split("\n")) counter.add(line);
      const trained = trainMerges(counter.words(), { size, minFrequency });
      expect(trained.vocabulary).toEqual(vocabulary);
      expect(trained.merges.map((merge) => merge.join(" "))).toEqual(merges);
    },
  );
});
