/**
 * Comparison with Python transformers: Python loads our files, and we load Python's files.
 * tooling/golden/tokenizer-protein.py makes the expected values.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { amplify, esm2, protbert, proteinTokenizerFromFiles, type ProteinTokenizer } from "../src/index.ts";

interface Case {
  readonly text: string;
  readonly auto: {
    readonly ids: number[];
    readonly offsets: number[];
    readonly decoded: string;
    readonly decodedPlain: string;
  };
  readonly upstream: { readonly ids: number[] };
}
interface Alphabet {
  readonly class: string;
  readonly vocabSize: number;
  readonly special: Readonly<Record<string, number>>;
  readonly specialIds: number[];
  readonly modelInputs: string[];
  readonly ourFiles: Readonly<Record<string, string>>;
  readonly savedFromOurs: Readonly<Record<string, string>>;
  readonly savedFromUpstream: Readonly<Record<string, string>>;
  readonly cases: readonly Case[];
}
const golden = JSON.parse(readFileSync(new URL("./golden/transformers.json", import.meta.url), "utf8")) as {
  readonly alphabets: Readonly<Record<"esm2" | "protbert" | "amplify", Alphabet>>;
};

/** Python counts offsets in code points, we in UTF-16 units. */
function utf16(text: string, offsets: readonly number[]): number[] {
  const at = [0];
  for (const c of text) at.push((at.at(-1) as number) + c.length);
  return offsets.map((o) => at[o] as number);
}

const all = { esm2: esm2(), protbert: protbert(), amplify: amplify() } as const;

describe.each(Object.entries(all) as ["esm2" | "protbert" | "amplify", ProteinTokenizer][])("%s", (name, tokenizer) => {
  const expected = golden.alphabets[name];

  it("writes the files the golden was made from (else run the script again)", () => {
    expect(tokenizer.files()).toEqual(expected.ourFiles);
  });

  it("is loaded by AutoTokenizer with the same special tokens", () => {
    expect(expected.vocabSize).toBe(tokenizer.vocabulary.length);
    expect(expected.specialIds).toEqual([...tokenizer.specialIds].toSorted((a, b) => a - b));
    expect(expected.special["pad_token"]).toBe(tokenizer.special.pad);
    expect(expected.special["unk_token"]).toBe(tokenizer.special.unknown);
    expect(expected.special["mask_token"]).toBe(tokenizer.special.mask);
    expect(expected.special["cls_token"] ?? expected.special["bos_token"]).toBe(tokenizer.special.start);
    expect(expected.special["eos_token"] ?? expected.special["sep_token"]).toBe(tokenizer.special.end);
    expect(expected.modelInputs).toEqual(tokenizer.alphabet.modelInputNames);
  });

  it.each(expected.cases.map((c) => [JSON.stringify(c.text), c] as const))("%s", (_, c) => {
    const encoding = tokenizer.encode(c.text);
    expect([...encoding.ids]).toEqual(c.auto.ids);
    expect([...encoding.offsets]).toEqual(utf16(c.text, c.auto.offsets));
    expect(tokenizer.decode(encoding.ids, { skipSpecial: false })).toBe(c.auto.decoded);
    expect(tokenizer.decode(encoding.ids)).toBe(c.auto.decodedPlain);
  });

  it("reads what Python saved from our files: same vocabulary, same policy", () => {
    const again = proteinTokenizerFromFiles(expected.savedFromOurs);
    expect(again.hash).toBe(tokenizer.hash);
    expect(again.name).toBe(name);
    expect(again.files()).toEqual(tokenizer.files());
  });

  it("reads what Python saved from the upstream class", () => {
    const native = proteinTokenizerFromFiles(expected.savedFromUpstream);
    expect(native.hash).toBe(tokenizer.hash);
  });
});

/**
 * Differences between our policy and the upstream tokenizer. `agree`: texts that must give equal ids. `examples`: text,
 * our ids, upstream's ids, without the special tokens around them.
 */
const upstream = {
  esm2: {
    agree: /^(?:[A-IK-Z.-]|\s(?<!\ufeff)|<mask>|<null_1>)*$/,
    examples: [
      // Lower case is encoded as its capital. EsmTokenizer gives one <unk> for the run.
      ["MKtaYI", [20, 15, 11, 5, 19, 12], [20, 15, 3, 19, 12]],
      // One <unk> per unknown residue, so that positions stay. EsmTokenizer gives one per run.
      ["MJJK", [20, 3, 3, 15], [20, 3, 15]],
      ["MKT*", [20, 15, 11], [20, 15, 11, 3]], // a final stop is dropped
      ["\ufeffMKT", [20, 15, 11], [3, 20, 15, 11]], // a byte order mark is white space
    ],
  },
  protbert: {
    agree: /^[A-Z.|\-\s]*$/,
    examples: [
      ["MKtaYI", [21, 12, 15, 6, 20, 11], [21, 12, 1, 1, 20, 11]],
      ["MKT*", [21, 12, 15], [21, 12, 15, 1]],
      // The model card puts a space between all characters, which splits [MASK].
      ["MKT[MASK]YIA", [21, 12, 15, 4, 20, 11, 6], [21, 12, 15, 1, 21, 6, 10, 12, 1, 20, 11, 6]],
    ],
  },
  amplify: {
    agree: /^(?:[A-Z.|-]|<mask>)*$/,
    examples: [
      ["MKtaYI", [22, 17, 13, 7, 21, 14], [22, 17, 1, 1, 21, 14]],
      ["MKT*", [22, 17, 13], [22, 17, 13, 1]],
      // White space is dropped. Upstream takes a list of residues and cleans nothing.
      ["M K T", [22, 17, 13], [22, 1, 17, 1, 13]],
    ],
  },
} as const;

describe.each(Object.keys(all) as (keyof typeof all)[])("%s beside its upstream tokenizer", (name) => {
  const { cases } = golden.alphabets[name];

  it("agrees on residues, gaps and masks", () => {
    const agreeing = cases.filter((c) => upstream[name].agree.test(c.text));
    expect(agreeing.length).toBeGreaterThan(8);
    for (const c of agreeing) expect(c.auto.ids, JSON.stringify(c.text)).toEqual(c.upstream.ids);
  });

  it.each(upstream[name].examples.map(([text, ours, theirs]) => [text, ours, theirs] as const))(
    "differs by policy: %j",
    (text, ours, theirs) => {
      const found = cases.find((c) => c.text === text);
      expect([...all[name].encode(text, { special: false }).ids]).toEqual(ours);
      expect(found?.upstream.ids.slice(1, -1)).toEqual(theirs);
    },
  );
});
