/** Properties: encode and decode of random Unicode text, and merges compared with a plain second implementation. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bpeFromFiles, splitWords } from "../src/index.ts";
import { MergeTable, mergeWord } from "../src/merge-word.ts";

const { configs } = JSON.parse(readFileSync(new URL("./golden/tokenizers.json", import.meta.url), "utf8")) as {
  readonly configs: Readonly<
    Record<"modern" | "roberta" | "whole", { readonly files: Readonly<Record<string, string>> }>
  >;
};
const ROUNDS = 600;

function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 48271) % 2147483647) % below;
}

/** Random text: letters, blocks of Unicode, any code point, marks, white space, and optionally any UTF-16 unit. */
function randomText(below: (n: number) => number, units: boolean): string {
  const times = (n: number, code: () => number): string =>
    String.fromCodePoint(...Array.from({ length: 1 + below(n) }, code));
  const scalar = (code: number): number => (code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
  const kinds: readonly (() => string)[] = [
    () =>
      ["the ", "hello", " world's", "Cas\u0307\u0323", "e\u0327\u0301", "\u1100\u1161\u11a8", "😀", "[MASK"][
        below(8)
      ] as string,
    () => times(4, () => 32 + below(700)),
    () => times(3, () => scalar(below(0x30000))),
    () => times(4, () => 0x300 + below(0x70)),
    () => times(3, () => 0x1100 + below(0x100)),
    () => [" ", "  ", "\n", "\t\t", "\u00a0", "\u0085", "\ufeff"][below(7)] as string,
    () => (units ? String.fromCharCode(below(0x10000), 0xd800 + below(0x800)) : "x"),
  ];
  return Array.from({ length: below(12) }, () => (kinds[below(kinds.length)] as () => string)()).join("");
}

/** The text with U+FFFD for each lone surrogate, as in UTF-8. */
function wellFormed(text: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));
}

describe("decode(encode(text))", () => {
  const modern = bpeFromFiles(configs.modern.files);
  const roberta = bpeFromFiles(configs.roberta.files);

  it.each([false, true])("is the text in NFC (any UTF-16 unit: %s)", (units) => {
    const below = draws(units ? 7 : 3);
    for (let round = 0; round < ROUNDS; round++) {
      const text = randomText(below, units);
      const { ids } = modern.encode(text, { special: false });
      expect(modern.decode(ids, { skipSpecial: false })).toBe(wellFormed(text.normalize("NFC")));
    }
  });

  it("is the text itself where nothing normalizes, with the prefix space", () => {
    const below = draws(11);
    for (let round = 0; round < ROUNDS; round++) {
      const text = randomText(below, false);
      const { ids } = roberta.encode(text, { special: false });
      expect(roberta.decode(ids)).toBe(text === "" || text.startsWith(" ") ? text : ` ${text}`);
    }
  });
});

describe("offsets", () => {
  const tokenizer = bpeFromFiles(configs.modern.files);
  const untouched = bpeFromFiles(configs.modern.files, { normalizer: "none" });

  it("go forward, lie on characters, and miss nothing but what joined the character before", () => {
    const below = draws(5);
    for (let round = 0; round < ROUNDS; round++) {
      const text = randomText(below, false);
      for (const each of [tokenizer, untouched]) {
        const { offsets, ids } = each.encode(text, { special: false });
        let end = 0;
        for (let i = 0; i < ids.length; i++) {
          const from = offsets[2 * i] as number;
          const to = offsets[2 * i + 1] as number;
          const gap = text.slice(end, from);
          expect(to).toBeGreaterThan(from);
          if (from > end) expect([each === tokenizer, /^[\p{M}\u1160-\u11ff]+$/u.test(gap)]).toEqual([true, true]);
          expect(/^[\udc00-\udfff]/.test(text.slice(from)) || /[\ud800-\udbff]$/.test(text.slice(0, to))).toBe(false);
          end = Math.max(end, to);
        }
        if (each === untouched) expect(end).toBe(text.length);
      }
    }
  });

  it("give each token the text that it is, where tokens hold whole characters", () => {
    const text = "Hello world, the  end 42!";
    const { ids, offsets } = untouched.encode(text, { special: false });
    for (let i = 0; i < ids.length; i++)
      expect(untouched.decode([ids[i] as number])).toBe(text.slice(offsets[2 * i], offsets[2 * i + 1]));
  });
});

describe("splitWords", () => {
  it("leaves nothing out", () => {
    const below = draws(13);
    for (let round = 0; round < ROUNDS; round++) {
      const text = randomText(below, true);
      expect(splitWords(text).join("")).toBe(text);
    }
  });
});

describe("mergeWord", () => {
  /** The definition: find the lowest rank among all neighbours, the leftmost first; join the pair; repeat. */
  function plain(merges: MergeTable, symbols: readonly number[]): number[] {
    const ids = [...symbols];
    for (;;) {
      let best = -1;
      let rank = Infinity;
      for (let i = 0; i + 1 < ids.length; i++) {
        const found = merges.rank(ids[i] as number, ids[i + 1] as number);
        if (found >= 0 && found < rank) [best, rank] = [i, found];
      }
      if (best < 0) return ids;
      ids.splice(best, 2, merges.joined(rank));
    }
  }

  it("is the plain definition, over random merges and words", () => {
    const below = draws(17);
    for (let round = 0; round < 300; round++) {
      const letters = 2 + below(3);
      const pairs: [number, number, number][] = [];
      const lengths = Array.from({ length: letters }, () => 1);
      for (let i = below(25); i > 0; i--) {
        const first = below(lengths.length);
        const second = below(lengths.length);
        lengths.push((lengths[first] as number) + (lengths[second] as number));
        pairs.push([first, second, lengths.length - 1]);
      }
      const merges = new MergeTable(pairs, lengths.length);
      const symbols = Array.from({ length: below(40) }, () => below(letters));
      const { ids, starts } = mergeWord(merges, symbols);
      expect(ids).toEqual(plain(merges, symbols));
      expect(starts).toEqual(ids.map((_, i) => ids.slice(0, i).reduce((sum, id) => sum + (lengths[id] as number), 0)));
    }
  });
});
