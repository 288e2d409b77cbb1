import { describe, expect, it } from "vitest";
import { encodeBatch, isTextTokenizer } from "@cloze/tokenizer";
import { byteCharacters } from "./byte-alphabet.ts";
import { bpe, bpeFromFiles, type Merge } from "./index.ts";

const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const merges: readonly Merge[] = [
  ["t", "h"],
  ["th", "e"],
  ["Ġ", "the"],
  ["Ã", "©"],
];
const vocabulary = [...special, ...byteCharacters(), "th", "the", "Ġthe", "Ã©"];
const tokenizer = bpe({ vocabulary, merges });
const tokens = (text: string): (string | undefined)[] =>
  [...tokenizer.encodeIds(text)].map((id) => tokenizer.vocabulary[id]);

describe("a tokenizer of bytes", () => {
  it("knows its roles", () => {
    expect(isTextTokenizer(tokenizer)).toBe(true);
    expect(tokenizer.special).toEqual({ pad: 0, unknown: 1, mask: 4, start: 2, end: 3 });
    expect([...tokenizer.specialIds].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    expect(tokenizer.regularIds.length).toBe(260);
    expect([tokenizer.idOf("Ġthe"), tokenizer.idOf("dog")]).toEqual([263, undefined]);
    expect(() => tokenizer.decode([999])).toThrow(/expected ids 0 to 264 of "bpe", got 999 at position 0/);
  });

  it("merges, composes, and gives the mask the space before it", () => {
    expect(tokens("the the e\u0301")).toEqual(["the", "Ġthe", "Ġ", "Ã©"]);
    expect(tokens("the [MASK] x")).toEqual(["the", "[MASK]", "Ġ", "x"]);
    expect([...tokenizer.encode("the [MASK] x", { special: false }).offsets]).toEqual([0, 3, 3, 10, 10, 11, 11, 12]);
  });

  it("puts a token that is part of a character at the whole of it", () => {
    expect([...tokenizer.encode("a😀", { special: false }).offsets]).toEqual([0, 1, 1, 3, 1, 3, 1, 3, 1, 3]);
  });

  it("reads a lone surrogate as U+FFFD, and says so, met before or not", () => {
    for (let time = 0; time < 2; time++) {
      const { ids, issues } = tokenizer.encode("x\ud83dy");
      expect(tokenizer.decode(ids)).toBe("x\ufffdy");
      expect(issues).toEqual({ replaced: { "\ufffd": 1 }, unknown: {}, dropped: {} });
    }
    expect(tokenizer.encode("xy").issues.replaced).toEqual({});
  });

  it("drops or marks bytes that the vocabulary lacks, and counts their characters", () => {
    const fewer = [...special, "a", "b"];
    const dropping = bpe({ vocabulary: fewer, merges: [] });
    const marking = bpe({ vocabulary: fewer, merges: [], unknownByte: "[UNK]" });
    expect(dropping.encode("aéb", { special: false })).toMatchObject({
      ids: Int32Array.of(5, 6),
      offsets: Int32Array.of(0, 1, 2, 3),
      issues: { dropped: { é: 1 } },
    });
    expect(marking.encode("aéb", { special: false })).toMatchObject({
      ids: Int32Array.of(5, 1, 1, 6),
      issues: { unknown: { é: 1 }, dropped: {} },
    });
  });

  it("tells the tokens that go on a word, whoever calls it", () => {
    const { continuesWord, idOf } = {
      continuesWord: tokenizer.continuesWord,
      idOf: (token: string) => tokenizer.idOf(token) as number,
    };
    expect(["the", "e", "7", "Ã©", "©"].map((token) => continuesWord(idOf(token)))).toEqual([
      true,
      true,
      true,
      true,
      true,
    ]);
    expect(["Ġthe", "Ġ", "Ċ", ".", "'", "[MASK]", "[UNK]"].map((token) => continuesWord(idOf(token)))).toEqual(
      Array.from({ length: 7 }, () => false),
    );
  });

  it("writes added tokens as they are, whatever bytes their letters stand for", () => {
    const accented = bpe({
      vocabulary: [...vocabulary, "é"].filter((token, id, all) => all.indexOf(token) === id),
      merges,
      addedTokens: [{ id: vocabulary.indexOf("é"), content: "é", special: false }],
    });
    expect(accented.decode(accented.encodeIds("é the"))).toBe("é the");
  });

  it("pads, pairs and cuts", () => {
    const batch = encodeBatch(tokenizer, ["the", { text: "the", pair: "the the" }], { multipleOf: 8 });
    expect([...batch.ids.subarray(0, 8)]).toEqual([2, 262, 3, 0, 0, 0, 0, 0]);
    expect([...batch.types.subarray(8)]).toEqual([0, 0, 0, 1, 1, 1, 0, 0]);
    const { overflow, truncated } = tokenizer.encode("the the the the", { maxLength: 4, stride: 0 });
    expect([truncated, overflow.map(({ ids }) => [...ids])]).toEqual([2, [[2, 263, 263, 3]]]);
  });

  it("takes one word of a megabyte", () => {
    const ids = tokenizer.encodeIds("the".repeat(350_000));
    expect(ids.length).toBe(350_000);
    expect(new Set(ids)).toEqual(new Set([262]));
  });
});

describe("refusals", () => {
  it.each([
    [
      { vocabulary, merges: [["th", "x"]] as readonly Merge[] },
      /expected merge 0, "th" and "x", to name and make tokens of the vocabulary, got "thx"/,
    ],
    [{ vocabulary: ["a", "b"], merges: [] }, /expected the unk_token "\[UNK\]" in the vocabulary/],
    [{ vocabulary, merges, unknownByte: "?!" }, /expected unknownByte to be a token of the model, got "\?!"/],
    [
      { vocabulary, merges, template: { single: "<s> $A", pair: "$A $B" } },
      /expected the template to name tokens of the vocabulary, got "<s>"/,
    ],
  ] as const)("%#", (options, message) => {
    expect(() => bpe(options)).toThrow(message);
  });

  const files = tokenizer.files();
  const json = JSON.parse(files["tokenizer.json"] as string) as { model: object };
  it.each([
    [{ normalizer: { type: "NFKC" } }, /normalizer: expected NFC or none, got the string "NFKC"/],
    [
      { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Digits" }, { type: "ByteLevel" }] } },
      /pre_tokenizer: expected ByteLevel alone, got the string "Digits", the string "ByteLevel"/,
    ],
    [{ pre_tokenizer: null }, /pre_tokenizer: expected ByteLevel alone, got nothing/],
    [{ decoder: { type: "WordPiece" } }, /decoder: expected ByteLevel, got the string "WordPiece"/],
    [{ model: { ...json.model, dropout: 0.1 } }, /model.dropout: expected none in byte-level BPE, got the number 0.1/],
    [{ model: { ...json.model, end_of_word_suffix: "</w>" } }, /model.end_of_word_suffix/],
    [{ model: { ...json.model, merges: ["a b c"] } }, /model.merges\[0\]: expected two tokens/],
    [{ model: { ...json.model, type: "WordPiece" } }, /model.type: expected BPE, got WordPiece/],
  ])("%j", (parts, message) => {
    expect(() => bpeFromFiles({ ...files, "tokenizer.json": JSON.stringify({ ...json, ...parts }) })).toThrow(message);
  });

  it("no tokenizer.json", () => {
    expect(() => bpeFromFiles({ "vocab.json": "{}" })).toThrow(
      /tokenizer.json: expected the file, or vocab.json and merges.txt, got vocab.json/,
    );
  });
});

describe("ModernBERT's layout", () => {
  const model = ["|||IP_ADDRESS|||", "<|padding|>", ...byteCharacters(), "th", "the", "Ġthe"];
  while (model.length < 50254) model.push(`filler${model.length}`);
  const added: { id: number; content: string; special: boolean; normalized: boolean; lstrip: boolean }[] = [];
  const add = (content: string, isSpecial = false): number =>
    added.push({
      id: model.indexOf(content) < 0 ? 50254 + added.length - 2 : model.indexOf(content),
      content,
      special: isSpecial,
      normalized: !isSpecial,
      lstrip: content === "[MASK]",
    });
  add("|||IP_ADDRESS|||");
  add("<|padding|>", true);
  for (let n = 24; n > 1; n--) add(" ".repeat(n));
  for (const content of ["|||EMAIL_ADDRESS|||", "|||PHONE_NUMBER|||"]) add(content);
  for (const content of ["<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]) add(content, true);
  for (let n = 0; n < 83; n++) add(`[unused${n}]`);
  const sides = (token: string): object => ({ SpecialToken: { id: token, type_id: 0 } });
  const sequence = (id: string): object => ({ Sequence: { id, type_id: 0 } });
  const one = [sides("[CLS]"), sequence("A"), sides("[SEP]")];
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: { type: "NFC" },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: "TemplateProcessing",
      single: one,
      pair: [...one, sequence("B"), sides("[SEP]")],
      special_tokens: {},
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(model.map((token, id) => [token, id])),
      merges: ["t h", "th e", "Ġ the"],
    },
  };
  const modern = bpeFromFiles({ "tokenizer.json": JSON.stringify(json) });

  it("has its ids", () => {
    expect(modern.special).toEqual({ pad: 50283, unknown: 50280, mask: 50284, start: 50281, end: 50282 });
    expect(modern.vocabulary.length).toBe(50368);
    expect(modern.regularIds.some((id) => id > 50284)).toBe(false);
    const [a, b] = ["Ġ", "x"].map((token) => model.indexOf(token));
    expect([...modern.encode("the the [MASK]   x x", { pair: "the" }).ids]).toEqual([
      50281,
      model.indexOf("the"),
      model.indexOf("Ġthe"),
      50284,
      50275,
      b,
      a,
      b,
      50282,
      model.indexOf("the"),
      50282,
    ]);
  });

  it("survives our files", () => {
    expect(bpeFromFiles(modern.files()).hash).toBe(modern.hash);
  });
});
