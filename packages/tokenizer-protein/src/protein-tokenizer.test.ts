import { describe, expect, it } from "vitest";
import { ConfigError } from "@cloze/errors";
import { IssueCounter } from "@cloze/tokenizer";
import { amplify, esm2, protbert, proteinTokenizer, type ProteinTokenizer } from "./index.ts";

const ids = (tokenizer: ProteinTokenizer, text: string): number[] => [
  ...tokenizer.encode(text, { special: false }).ids,
];

describe("published ids", () => {
  it("ESM-2 encodes its example", () => {
    const { ids: got } = esm2().encode("MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ");
    expect([...got].join(" ")).toBe(
      "0 20 15 11 5 19 12 5 15 16 10 16 12 8 18 7 15 8 21 18 8 10 16 4 9 9 10 4 6 4 12 9 7 16 2",
    );
  });

  it.each([
    [esm2(), 33, { L: 4, C: 23, X: 24, B: 25, U: 26, Z: 27, O: 28, ".": 29, "-": 30, "<null_1>": 31, "<mask>": 32 }],
    [
      protbert(),
      30,
      { "[PAD]": 0, "[MASK]": 4, L: 5, A: 6, E: 9, S: 10, K: 12, C: 23, W: 24, X: 25, U: 26, B: 27, Z: 28, O: 29 },
    ],
    [amplify(), 27, { "<pad>": 0, "<eos>": 4, "|": 5, L: 6, W: 24, C: 25, B: 26 }],
  ] as const)("$name", (tokenizer, size, table) => {
    expect(tokenizer.vocabulary).toHaveLength(size);
    for (const [token, id] of Object.entries(table)) expect(tokenizer.idOf(token), token).toBe(id);
  });

  it("knows roles, special and regular tokens", () => {
    expect(esm2().special).toEqual({ pad: 1, unknown: 3, mask: 32, start: 0, end: 2 });
    expect(protbert().special).toEqual({ pad: 0, unknown: 1, mask: 4, start: 2, end: 3 });
    expect(amplify().special).toEqual({ pad: 0, unknown: 1, mask: 2, start: 3, end: 4 });
    expect([...esm2().specialIds].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 32]);
    expect(esm2().regularIds).toEqual(Array.from({ length: 27 }, (_, i) => i + 4)); // no special tokens, no <null_1>
    expect(amplify().regularIds).toEqual(Array.from({ length: 22 }, (_, i) => i + 5));
  });
});

describe("policy", () => {
  it("lower case", () => {
    expect(ids(esm2(), "mKt")).toEqual(ids(esm2(), "MKT"));
    expect(esm2().encode("mKtt").issues.replaced).toEqual({ m: 1, t: 2 });
    expect(ids(esm2({ lowerCase: "unknown" }), "mKt")).toEqual([3, 15, 3]);
    expect(esm2({ lowerCase: "unknown" }).encode("mK").issues).toEqual({
      replaced: {},
      unknown: { m: 1 },
      dropped: {},
    });
    expect(protbert().encode("u").issues.replaced).toEqual({ u: 1 });
    expect(ids(protbert(), "u")).toEqual([25]);
  });

  it("white space, a final stop and an inner one", () => {
    expect(esm2().encode("M*K\nT* \n", { special: false })).toMatchObject({
      ids: Int32Array.of(20, 3, 15, 11),
      issues: { replaced: {}, unknown: { "*": 1 }, dropped: { "*": 1, "\n": 2, " ": 1 } },
    });
    expect(ids(esm2({ finalStop: "unknown" }), "M*")).toEqual([20, 3]);
    for (const text of ["MK**", "MK***", "MK* *\n*", "MK*\ufeff*"]) expect(ids(esm2(), text)).toEqual([20, 15]);
    expect(ids(esm2(), "M**K**<mask>**")).toEqual([20, 3, 3, 15, 32]);
    expect(esm2().encode("M**K**").issues).toMatchObject({ unknown: { "*": 2 }, dropped: { "*": 2 } });
    expect(ids(esm2({ whiteSpace: "unknown" }), "M K")).toEqual([20, 3, 15]);
  });

  it("gaps are tokens of ESM-2, unknown elsewhere", () => {
    expect(ids(esm2(), "-.")).toEqual([30, 29]);
    expect(protbert().encode("-.", { special: false })).toMatchObject({
      ids: Int32Array.of(1, 1),
      issues: { unknown: { "-": 1, ".": 1 } },
    });
    expect(ids(amplify(), "-.")).toEqual([1, 1]);
  });

  it("rare residues: tokens of ESM-2, X in ProtBert, unknown in AMPLIFY", () => {
    expect(ids(esm2(), "UZOBX")).toEqual([26, 27, 28, 25, 24]);
    expect(protbert().encode("UZOBX", { special: false })).toMatchObject({
      ids: Int32Array.of(25, 25, 25, 25, 25),
      issues: { replaced: { U: 1, Z: 1, O: 1, B: 1 } },
    });
    expect(ids(protbert({ replace: {} }), "UZOB")).toEqual([26, 28, 29, 27]);
    expect(amplify().encode("UZOBX", { special: false })).toMatchObject({
      ids: Int32Array.of(1, 1, 1, 26, 1),
      issues: { unknown: { U: 1, Z: 1, O: 1, X: 1 }, replaced: {} },
    });
  });

  it("other characters are one unknown each, whatever their width", () => {
    const encoding = esm2().encode("M\u{1f9ec}éK", { special: false });
    expect([...encoding.ids]).toEqual([20, 3, 3, 15]);
    expect([...encoding.offsets]).toEqual([0, 1, 1, 3, 3, 4, 4, 5]);
    expect(encoding.issues.unknown).toEqual({ é: 1, "\u{1f9ec}": 1 });
  });

  it("special tokens in the text are themselves, with offsets into the text", () => {
    const encoding = esm2().encode("MK <mask>Y*");
    expect([...encoding.ids]).toEqual([0, 20, 15, 32, 19, 2]);
    expect([...encoding.offsets]).toEqual([0, 0, 0, 1, 1, 2, 3, 9, 9, 10, 0, 0]);
    expect(encoding.issues.dropped).toEqual({ " ": 1, "*": 1 });
  });
});

describe("length", () => {
  it("cuts the body, reports how much, and keeps the frame", () => {
    const encoding = esm2().encode("MKTAY", { maxLength: 5 });
    expect([...encoding.ids]).toEqual([0, 20, 15, 11, 2]);
    expect(encoding.truncated).toBe(2);
    expect([...esm2().encode("MKTAY", { maxLength: 2, special: false }).ids]).toEqual([20, 15]);
    expect([...esm2().encode("", { maxLength: 2 }).ids]).toEqual([0, 2]);
    expect(() => esm2().encode("M", { maxLength: 1 })).toThrow(/expected maxLength of at least 2.*got 1/);
  });
});

describe("decode", () => {
  it("writes a space between tokens, as Python does, or nothing", () => {
    const encoded = esm2().encode("MK<mask>J").ids;
    expect(esm2().decode(encoded)).toBe("M K");
    expect(esm2().decode(encoded, { skipSpecial: false })).toBe("<cls> M K <mask> <unk> <eos>");
    expect(esm2({ separator: "" }).decode(encoded, { skipSpecial: false })).toBe("<cls>MK<mask><unk><eos>");
  });

  it("refuses ids of another vocabulary", () => {
    expect(() => amplify().decode([6, 27])).toThrow(/expected ids 0 to 26 of "amplify", got 27 at position 1/);
  });
});

describe("hash", () => {
  it("is of what decides an id: vocabulary and policy, neither name nor separator", () => {
    expect(esm2().hash).toMatch(/^[0-9a-f]{64}$/);
    expect(
      new Set(
        [esm2(), protbert(), amplify(), esm2({ lowerCase: "unknown" }), protbert({ replace: {} })].map((t) => t.hash),
      ).size,
    ).toBe(5);
    expect(esm2({ separator: "" }).hash).toBe(esm2().hash);
    const { alphabet } = esm2();
    expect(proteinTokenizer({ ...alphabet, name: "mine" }).hash).toBe(esm2().hash);
  });

  it("never changes: shards on disk carry it", () => {
    expect([esm2(), protbert(), amplify()].map((t) => t.hash)).toMatchInlineSnapshot(`
      [
        "5da4e5c9b67798f386cdd9a77fe7a1991459deadcc2bd26d2fa8cdfe5bd798bd",
        "914b280f822e5fe8d5cb93316d3ecb0e84e677125ca78ccc40e01001ffd43ff4",
        "821163fcaf5cebdbb633325774e983064b7ee9ab25476b0dda64b0e81cbd0c15",
      ]
    `);
  });
});

describe("encodeBytes", () => {
  const encoder = new TextEncoder();
  const bytes = (tokenizer: ProteinTokenizer, text: string): { ids: number[]; issues: unknown } => {
    const source = encoder.encode(`>${text}<`);
    const out = new Uint8Array(source.length + 3);
    const issues = new IssueCounter();
    const written = tokenizer.encodeBytes(source, 1, source.length - 1, out, 2, issues);
    expect(out.subarray(0, 2)).toEqual(new Uint8Array(2));
    return { ids: [...out.subarray(2, 2 + written)], issues: issues.issues() };
  };

  it("agrees with encode on random texts, ids and counts", () => {
    const pieces = [..."LAGVSERTIDPKQNFYMHWCXBUZOJ", ..."lagvuj*.-| \n\t1é\u2028\ufeff\u{1f9ec}", "*", "* ", "**"];
    let state = 11; // the minimal standard generator; any repeatable generator works
    const below = (bound: number): number => (state = (state * 48271) % 2147483647) % bound;
    for (const tokenizer of [
      esm2(),
      protbert(),
      amplify(),
      esm2({ lowerCase: "unknown", whiteSpace: "unknown", finalStop: "unknown" }),
    ]) {
      for (let n = 0; n < 300; n++) {
        const text = Array.from({ length: below(30) }, () => pieces[below(pieces.length)]).join("");
        const whole = tokenizer.encode(text, { special: false });
        expect(bytes(tokenizer, text), JSON.stringify(text)).toEqual({ ids: [...whole.ids], issues: whole.issues });
      }
    }
  });

  it("knows no special tokens", () => {
    expect(bytes(esm2(), "<mask>").ids).toEqual([3, 20, 5, 8, 15, 3]);
  });

  it("counts broken UTF-8, one unknown per byte", () => {
    const out = new Uint8Array(8);
    const issues = new IssueCounter();
    expect(esm2().encodeBytes(Uint8Array.of(0x4d, 0xff, 0xc3, 0x4b, 0xe2, 0x82), 0, 6, out, 0, issues)).toBe(6);
    expect([...out.subarray(0, 6)]).toEqual([20, 3, 3, 15, 3, 3]);
    expect(issues.issues().unknown).toEqual({ "\ufffd": 4 });
  });

  it("adds to the counter it is given, and refuses an out that is too small", () => {
    const issues = new IssueCounter();
    const out = new Uint8Array(4);
    for (const text of ["M*", "mJ"]) esm2().encodeBytes(encoder.encode(text), 0, 2, out, 0, issues);
    expect(issues.issues()).toEqual({ replaced: { m: 1 }, unknown: { J: 1 }, dropped: { "*": 1 } });
    expect(issues.total).toBe(3);
    expect(() => esm2().encodeBytes(encoder.encode("MKTAY"), 0, 5, out, 0, issues)).toThrow(
      /room for 5 ids in out, got 4/,
    );
    expect(() => esm2().encodeBytes(encoder.encode("MK"), 0, 3, out, 0, issues)).toThrow(
      /within the 2 bytes of source/,
    );
  });
});

describe("an alphabet of one's own", () => {
  const special = { unk_token: "?", pad_token: "_" };

  it("works with single-character special tokens and no frame", () => {
    const helix = proteinTokenizer({ name: "dssp", vocabulary: ["_", "?", "H", "E", "C"], special });
    expect([...helix.encode("hEc?x").ids]).toEqual([2, 3, 4, 1, 1]);
    expect(helix.special).toEqual({ pad: 0, unknown: 1 });
    expect(helix.regularIds).toEqual([2, 3, 4]);
  });

  it("takes `*` and lower-case letters as tokens where they are", () => {
    const t = proteinTokenizer({ name: "t", vocabulary: ["_", "?", "A", "a", "*"], special });
    expect([...t.encode("Aa*").ids]).toEqual([2, 3, 4]);
  });

  it.each([
    [{ vocabulary: ["_", "?", "A", "A"] }, /"A" twice/],
    [{ vocabulary: ["?", "A"] }, /expected the pad_token "_" in the vocabulary/],
    [{ vocabulary: ["_", "?", "the"] }, /expected residues of one character, got the token "the"/],
    [{ vocabulary: ["_", "?", " "] }, /White space is governed by the policy/],
    [
      { vocabulary: ["_", "?", "A"], policy: { replace: { U: "X" } } },
      /expected replace to give a residue of the vocabulary, got "X" for "U"/,
    ],
    [{ vocabulary: ["_", "?", "A", "B"], policy: { replace: { U: "A", A: "B" } } }, /one step, got "U" to "A"/],
    [
      { vocabulary: ["_", "?", "A"], template: { single: "<s> $A", pair: "" } },
      /expected the template to name tokens of the vocabulary, got "<s>"/,
    ],
    [{ vocabulary: Array.from({ length: 257 }, (_, i) => String.fromCodePoint(0x4e00 + i)) }, /at most 256 tokens/],
  ] as const)("refuses %j", (custom, message) => {
    const make = (): unknown => proteinTokenizer({ name: "mine", special, ...custom });
    expect(make).toThrow(message);
    expect(make).toThrow(ConfigError);
  });
});
