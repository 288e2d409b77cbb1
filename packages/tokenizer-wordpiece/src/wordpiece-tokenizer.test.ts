import { describe, expect, it } from "vitest";
import { encodeBatch, isTextTokenizer } from "@cloze/tokenizer";
import { wordPiece } from "./index.ts";

const vocabulary = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  "[unused0]",
  "the",
  "cat",
  "##s",
  ".",
  "sat",
  "on",
  "mat",
];
const tokenizer = wordPiece({ vocabulary });

describe("a tokenizer of text", () => {
  it("knows its roles", () => {
    expect(isTextTokenizer(tokenizer)).toBe(true);
    expect(tokenizer.special).toEqual({ pad: 0, unknown: 1, mask: 4, start: 2, end: 3 });
    expect([...tokenizer.specialIds].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    expect(tokenizer.regularIds).toEqual([6, 7, 8, 9, 10, 11, 12]);
    expect([tokenizer.idOf("cat"), tokenizer.idOf("dog")]).toEqual([7, undefined]);
    expect(() => tokenizer.decode([99])).toThrow(/expected ids 0 to 12 of "wordpiece", got 99 at position 0/);
  });

  it("counts what it drops and what it cannot match, met before or not", () => {
    const once = tokenizer.encode("the c\u200dat\0 catx 漢!");
    const again = tokenizer.encode("the c\u200dat\0 catx 漢!", { pair: "catx" });
    expect(once.issues).toEqual({ replaced: {}, unknown: { x: 1, 漢: 1, "!": 1 }, dropped: { "\0": 1, "\u200d": 1 } });
    expect(again.issues).toEqual({ ...once.issues, unknown: { x: 2, 漢: 1, "!": 1 } });
    expect(tokenizer.encode("the cat").issues).toEqual({ replaced: {}, unknown: {}, dropped: {} });
  });

  it("reads a lone surrogate as U+FFFD, and drops it", () => {
    const { ids, offsets, issues } = tokenizer.encode("ca\ud83dt \udc00 the\ud800", { special: false });
    expect([...ids]).toEqual([7, 6]);
    expect([...offsets]).toEqual([0, 4, 7, 10]);
    expect(issues.dropped).toEqual({ "\ufffd": 3 });
  });

  it("tells cut tokens, and gives them as windows if asked", () => {
    expect(tokenizer.encode("the cats sat on the mat.", { maxLength: 5 })).toMatchObject({
      ids: Int32Array.of(2, 6, 7, 8, 3),
      truncated: 5,
      overflow: [],
    });
    const { overflow } = tokenizer.encode("the cats sat on the mat.", { maxLength: 5, stride: 1 });
    expect(overflow.map(({ ids }) => [...ids])).toEqual([
      [2, 8, 10, 11, 3],
      [2, 11, 6, 12, 3],
      [2, 12, 9, 3],
    ]);
    expect(tokenizer.encode("the cat", { maxLength: 2 })).toMatchObject({ ids: Int32Array.of(2, 3), truncated: 2 });
  });

  it.each([
    [{ maxLength: 1 }, /expected maxLength of at least 2, the special tokens alone, got 1/],
    [
      { maxLength: 5, stride: 3 },
      /expected stride to be less than the 3 tokens that a window keeps of the text, got 3/,
    ],
    [{ stride: -1 }, /expected stride to be a whole number from 0, got -1/],
    [{ maxLength: 4, truncate: "only-second" }, /expected a pair for truncate: "only-second"/],
    [
      { maxLength: 5, pair: "the cat sat on the mat", truncate: "only-first" },
      /expected truncate: "only-first" to make room for 2 tokens, got a text of 6 where 10 are too many/,
    ],
  ] as const)("refuses %j", (options, message) => {
    expect(() => tokenizer.encode("the cat sat on the mat", options)).toThrow(message);
  });

  it("forgets words when there are too many, and nothing changes", () => {
    const many = Array.from({ length: 140_000 }, (_, i) => `cat${i}`).join(" ");
    expect(tokenizer.encodeIds(many).length).toBe(140_000);
    expect([...tokenizer.encodeIds("the cats sat")]).toEqual([6, 7, 8, 10]);
  });
});

describe("lines of ten megabytes", () => {
  const words = "the cats sat on the mat. ";
  const times = 400_000;

  it("of words", () => {
    const ids = tokenizer.encodeIds(words.repeat(times));
    expect(ids.length).toBe(7 * times + times);
    expect([...ids.subarray(-8)]).toEqual([6, 7, 8, 10, 11, 6, 12, 9]);
  });

  it("of one word: unknown, once, with its place", () => {
    const { ids, offsets, words: numbers } = tokenizer.encode(`the ${"a".repeat(10_000_000)} cat`);
    expect([...ids]).toEqual([2, 6, 1, 7, 3]);
    expect([...offsets.subarray(4, 6)]).toEqual([4, 10_000_004]);
    expect([...numbers]).toEqual([-1, 0, 1, 2, -1]);
  });

  it("of characters that normalization may take away", () => {
    expect([...tokenizer.encodeIds(`${"\u200d".repeat(500_000)}cat${"e\u0301".repeat(300_000)} cat`)]).toEqual([1, 7]);
  });
});

describe("rows", () => {
  it("pads to the longest, a multiple, a length; before or behind", () => {
    const inputs = ["the cat", { text: "cats", pair: "sat" }];
    const longest = encodeBatch(tokenizer, inputs);
    expect(longest).toMatchObject({ rows: 2, length: 6, samples: Int32Array.of(0, 1) });
    expect([...longest.ids]).toEqual([2, 6, 7, 3, 0, 0, 2, 7, 8, 3, 10, 3]);
    expect([...longest.mask]).toEqual([1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1]);
    expect([...longest.types]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    expect(encodeBatch(tokenizer, inputs, { multipleOf: 4 }).length).toBe(8);
    expect(encodeBatch(tokenizer, inputs, { pad: "maxLength", maxLength: 5 }).length).toBe(5);
    expect([...encodeBatch(tokenizer, ["the cat", "the cats"], { padSide: "left" }).ids]).toEqual([
      0, 2, 6, 7, 3, 2, 6, 7, 8, 3,
    ]);
    expect(encodeBatch(tokenizer, []).rows).toBe(0);
  });

  it("gives windows rows of their own, and says whose they are", () => {
    const { samples, rows, encodings } = encodeBatch(tokenizer, [["the", "cats", "sat"], "the"], {
      maxLength: 4,
      stride: 0,
    });
    expect([rows, [...samples]]).toEqual([3, [0, 0, 1]]);
    expect(encodings.map(({ words }) => [...words])).toEqual([
      [-1, 0, 1, -1],
      [-1, 1, 2, -1],
      [-1, 0, -1],
    ]);
  });

  it("refuses lengths that are none", () => {
    expect(() => encodeBatch(tokenizer, ["a"], { pad: "maxLength" })).toThrow(
      /expected maxLength with pad: "maxLength"/,
    );
    expect(() => encodeBatch(tokenizer, ["a"], { multipleOf: 0 })).toThrow(
      /expected multipleOf to be a whole number from 1, got 0/,
    );
  });
});
