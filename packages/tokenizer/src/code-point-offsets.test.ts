import { describe, expect, it } from "vitest";
import { codePointIndexOf, codePointOffsets, utf16IndexOf } from "./index.ts";

describe("places in code points and in UTF-16 units", () => {
  it.each(["", "abc", "e\u0301", "😀a𝒜", "👩\u200d🔬x", "\ud83dx\ude00", "日本"])("of %j", (text) => {
    const place = codePointIndexOf(text);
    let unit = 0;
    for (const [count, character] of Array.from(text).entries()) {
      expect(place(unit)).toBe(count);
      expect(utf16IndexOf(text, count)).toBe(unit);
      unit += character.length;
    }
    expect([place(unit), utf16IndexOf(text, 99)]).toEqual([Array.from(text).length, unit]);
  });

  // Oracle: offsets of BertTokenizer (tokenizers 0.23.3) on this text.
  it("of tokens are Python's", () => {
    const units = Int32Array.of(0, 0, 0, 2, 3, 6, 7, 9, 10, 13, 0, 0);
    expect([...codePointOffsets("😀 the 𝒜 cat", units)]).toEqual([0, 0, 0, 1, 2, 5, 6, 7, 8, 11, 0, 0]);
  });
});
