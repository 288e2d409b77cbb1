/** Random Unicode text, also with lone surrogates: comparison with a plain second implementation. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { codePoints } from "../src/code-points.ts";
import { wordPiece } from "../src/index.ts";
import { referenceTokens } from "./reference.ts";

const { vocabulary } = JSON.parse(readFileSync(new URL("./golden/tokenizers.json", import.meta.url), "utf8")) as {
  readonly vocabulary: string[];
};
const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const ROUNDS = 700;

function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 48271) % 2147483647) % below;
}

/** Random text: vocabulary, Unicode blocks, any code point, any UTF-16 unit, runs of one character, special tokens. */
function randomText(below: (n: number) => number): string {
  const kinds: readonly (() => string)[] = [
    () => (vocabulary[below(vocabulary.length)] as string).replace("##", ""),
    () => (vocabulary[below(vocabulary.length)] as string).toUpperCase(),
    () => String.fromCodePoint(...Array.from({ length: 1 + below(4) }, () => 32 + below(700))),
    () => String.fromCodePoint(...Array.from({ length: 1 + below(3) }, () => below(0x30000))),
    () => String.fromCharCode(...Array.from({ length: 1 + below(3) }, () => below(0x10000))),
    () => String.fromCharCode(0xd800 + below(0x800)),
    () => "aé字👍"[below(4)]?.repeat(90 + below(20)) ?? "",
    () => SPECIAL[below(5)] as string,
    () => ["\u200d", "\ufe0f", "e\u0301", "\0", "\u00a0", "…", "]", "[", "##"][below(9)] as string,
  ];
  return Array.from(
    { length: 1 + below(10) },
    () => (kinds[below(kinds.length)] as () => string)() + (below(2) === 0 ? " " : ""),
  ).join("");
}

describe.each([
  ["uncased", true],
  ["cased", false],
] as const)("%s", (_, uncased) => {
  const tokenizer = wordPiece({ vocabulary, lowercase: uncased });
  const reference = { points: codePoints(), vocabulary, uncased, special: SPECIAL };
  // A mark with a combining class that is not stripped may move. The reference does not follow such moves.
  const moved = [...reference.points.combining.keys()]
    .filter((code) => ((reference.points.flags[code] as number) & 8) === 0)
    .map((code) => String.fromCodePoint(code));

  it(`${ROUNDS} texts`, () => {
    const below = draws(uncased ? 17 : 71);
    for (let round = 0; round < ROUNDS; round++) {
      const text = randomText(below);
      if (moved.some((mark) => text.includes(mark))) continue;
      const { ids, offsets, words } = tokenizer.encode(text, { special: false });
      const ours = [...ids].map((id, i) => ({ id, from: offsets[2 * i], to: offsets[2 * i + 1], word: words[i] }));
      expect(ours, JSON.stringify(text)).toEqual(referenceTokens(reference, text));
      expect([...tokenizer.encodeIds(text)], JSON.stringify(text)).toEqual([...ids]);
    }
  });
});
