import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { IssueCounter, frameEncoding, sha256, specialSplitter } from "./index.ts";

describe("sha256", () => {
  it.each([0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 1000])("of %i characters is Node's", (length) => {
    const text = Array.from({ length }, (_, i) => String.fromCodePoint(32 + ((i * 37) % 500))).join("");
    expect(sha256(text)).toBe(createHash("sha256").update(text).digest("hex"));
  });

  it("knows the answer of FIPS 180-4", () => {
    expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
});

describe("IssueCounter", () => {
  it("counts by character, adds other counts, and starts again", () => {
    const counter = new IssueCounter();
    counter.unknown.add(0x2a);
    counter.add({ replaced: { U: 2 }, unknown: { "*": 1, "\u{1f9ec}": 3 }, dropped: { "\n": 4 } });
    expect(counter.issues()).toEqual({ replaced: { U: 2 }, unknown: { "*": 2, "\u{1f9ec}": 3 }, dropped: { "\n": 4 } });
    expect(counter.total).toBe(11);
    counter.reset();
    expect(counter.issues()).toEqual({ replaced: {}, unknown: {}, dropped: {} });
  });
});

describe("specialSplitter", () => {
  it("finds tokens, the longest first, and the text between them", () => {
    const split = specialSplitter(
      new Map([
        ["<a>", 1],
        ["<a>>", 2],
        ["[B]", 3],
      ]),
    );
    expect(split("x<a>><a>[B]y")).toEqual([
      { start: 0, end: 1 },
      { start: 1, end: 5, id: 2 },
      { start: 5, end: 8, id: 1 },
      { start: 8, end: 11, id: 3 },
      { start: 11, end: 12 },
    ]);
    expect(split("")).toEqual([]);
    expect(specialSplitter(new Map())("ab")).toEqual([{ start: 0, end: 2 }]);
  });
});

describe("frameEncoding", () => {
  const body = { ids: Int32Array.of(7, 8, 9, 0), offsets: Int32Array.of(0, 1, 1, 2, 2, 3, 0, 0), count: 3 };
  const frame = { before: [1], after: [2] };
  const issues = { replaced: {}, unknown: {}, dropped: {} };

  it("puts the frame around the body and cuts the body only", () => {
    expect(frameEncoding(body, frame, issues)).toEqual({
      ids: Int32Array.of(1, 7, 8, 9, 2),
      offsets: Int32Array.of(0, 0, 0, 1, 1, 2, 2, 3, 0, 0),
      truncated: 0,
      issues,
    });
    expect(frameEncoding(body, frame, issues, { maxLength: 3 })).toMatchObject({
      ids: Int32Array.of(1, 7, 2),
      truncated: 2,
    });
    expect(frameEncoding(body, frame, issues, { special: false, maxLength: 2 }).ids).toEqual(Int32Array.of(7, 8));
    expect(() => frameEncoding(body, frame, issues, { maxLength: 1 })).toThrow(
      /at least 2, the special tokens alone, got 1/,
    );
  });
});
