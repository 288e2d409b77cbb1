import { describe, expect, it } from "vitest";
import { FormatError } from "@cloze/errors";
import {
  readSpecialTokensMap,
  readTemplate,
  readTokenizerConfig,
  readTokenizerJson,
  readVocabTxt,
  templateJson,
  templatePieces,
  templateSides,
  tokensOfLines,
  writeSpecialTokensMap,
  writeTokenizerConfig,
  writeTokenizerJson,
  writeVocabTxt,
} from "./index.ts";

describe("vocab.txt", () => {
  it("is read as written", () => {
    const tokens = ["[PAD]", "a", "##b", " c"];
    expect(readVocabTxt(writeVocabTxt(tokens))).toEqual(tokens);
  });

  // Oracle: models.WordPiece of tokenizers 0.23.3 and EsmTokenizer of transformers 5.24.0, each on these bytes.
  it("is read as Python reads it: line ends, blanks, a byte order mark, an empty line", () => {
    const text = "\ufeff[PAD]\r\n a \t\n\nb\u2028\rc\u3000\n\n";
    expect(readVocabTxt(text)).toEqual(["\ufeff[PAD]", " a", "", "b\u2028\rc", ""]);
    expect(readVocabTxt(text, "vocab.txt", "esm")).toEqual(["\ufeff[PAD]", "a", "", "b", "", "c", ""]);
  });

  it("gives an id to the later of two lines with one token, and a name to an id without a token", () => {
    const { ids, count } = tokensOfLines(["[PAD]", "a", "", "[unused2]", "a"]);
    expect([...ids]).toEqual([
      ["[PAD]", 0],
      ["a", 4],
      ["[unused2]", 3],
    ]);
    expect(count).toBe(4);
    const vocab = Object.fromEntries([...ids, ["", 2]]);
    const { vocabulary } = readTokenizerJson(JSON.stringify({ model: { type: "WordLevel", vocab } }));
    expect(vocabulary).toEqual(["[PAD]", "[unused1]", "[unused5]", "[unused2]", "a"]);
  });

  it("names the file of a fault", () => {
    expect(() => readVocabTxt(" \n\n", "dir/vocab.txt")).toThrow(/^dir\/vocab.txt: expected one token per line/);
  });
});

describe("tokenizer.json", () => {
  const model = { type: "WordLevel", vocab: { a: 1, "<unk>": 0 }, unk_token: "<unk>" };
  const write = (addedTokens: readonly { id: number; content: string; special: boolean }[]): string =>
    writeTokenizerJson({
      model,
      addedTokens,
      normalizer: null,
      preTokenizer: null,
      postProcessor: null,
      decoder: null,
    });

  it("joins model vocabulary and added tokens by id", () => {
    const json = readTokenizerJson(
      write([
        { id: 0, content: "<unk>", special: true },
        { id: 2, content: "<mask>", special: true },
      ]),
    );
    expect(json.vocabulary).toEqual(["<unk>", "a", "<mask>"]);
    expect(json.modelType).toBe("WordLevel");
    expect(json.addedTokens.at(-1)).toEqual({ id: 2, content: "<mask>", special: true });
  });

  // Oracle: Tokenizer.from_file of tokenizers 0.23.3.
  it("gives added tokens the ids that Python gives them, in the order of the list", () => {
    const ids = [
      { id: 160, content: "<mask>", special: true },
      { id: 7, content: "a", special: false },
      { id: 2, content: "covid", special: false },
    ];
    expect(readTokenizerJson(write(ids)).vocabulary).toEqual(["<unk>", "a", "<mask>", "covid"]);
  });

  it.each([
    [
      {
        model: {
          type: "Unigram",
          vocab: [
            ["<unk>", 0],
            ["x", -1.5],
          ],
        },
      },
      ["<unk>", "x"],
    ],
    [{ model: { vocab: { x: 0, y: 1 }, merges: [] } }, ["x", "y"]], // early BPE files have no type
  ])("reads the vocabulary of %j", (json, vocabulary) => {
    expect(readTokenizerJson(JSON.stringify(json)).vocabulary).toEqual(vocabulary);
  });

  it.each([
    ["{", "", /expected JSON/],
    ["[1]", "", /expected a JSON object at the top, got a list of 1/],
    [{ model: { type: "Char" } }, "model.type", /WordLevel, WordPiece, BPE, Unigram, got the string "Char"/],
    [{ model: { type: "BPE", vocab: [] } }, "model.vocab", /expected an object from token to id, got a list of 0/],
    [{ model: { type: "BPE", vocab: { a: -1 } } }, 'model.vocab["a"]', /expected an id/],
    [{ model: { type: "BPE", vocab: { a: 0, b: 0 } } }, "model.vocab", /got "a" and "b" for id 0/],
    [
      { model: { type: "BPE", vocab: { a: 0, b: 2 } }, added_tokens: [{ id: 3, content: "c" }] },
      "",
      /expected one token per id, got "b" with the id 2, which Python gives to the added token "c"/,
    ],
    [{ model, added_tokens: [{ id: 5 }] }, "added_tokens[0]", /an object with a content/],
  ] as const)("refuses %j", (json, place, message) => {
    const read = (): unknown => readTokenizerJson(typeof json === "string" ? json : JSON.stringify(json));
    expect(read).toThrow(message);
    expect(read).toThrow(expect.objectContaining({ file: "tokenizer.json", place }));
    expect(read).toThrow(FormatError);
  });
});

describe("special-token templates", () => {
  const template = { single: "[CLS] $A [SEP]", pair: "[CLS] $A [SEP] $B:1 [SEP]:1" };
  const ids = new Map([
    ["[CLS]", 2],
    ["[SEP]", 3],
  ]);

  it("goes to a post_processor and back", () => {
    const json = templateJson(template, (t) => ids.get(t));
    expect(json["special_tokens"]).toEqual({
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    });
    expect(readTemplate(json)).toEqual(template);
    expect(templatePieces("$B:1 [SEP]:1")).toEqual([
      { sequence: "B", type: 1 },
      { token: "[SEP]", type: 1 },
    ]);
  });

  it("reads the other post-processors of BERT and RoBERTa", () => {
    const pair = { sep: ["[SEP]", 3], cls: ["[CLS]", 2] };
    expect(readTemplate({ type: "BertProcessing", ...pair })).toEqual(template);
    expect(readTemplate({ type: "RobertaProcessing", ...pair })).toEqual({
      single: template.single,
      pair: "[CLS] $A [SEP] [SEP] $B [SEP]",
    });
    expect(
      readTemplate({ type: "Sequence", processors: [{ type: "ByteLevel" }, { type: "BertProcessing", ...pair }] }),
    ).toEqual(template);
    expect(readTemplate(null).single).toBe("$A");
  });

  it("refuses what it cannot say", () => {
    expect(() => readTemplate({ type: "Magic" })).toThrow(
      /tokenizer.json, post_processor: expected TemplateProcessing/,
    );
    expect(() => readTemplate({ type: "TemplateProcessing", single: [{ Word: 1 }], pair: [] })).toThrow(
      /post_processor.single\[0\]/,
    );
    expect(() => readTemplate({ type: "BertProcessing", sep: "x" })).toThrow(/post_processor.cls/);
    expect(() => templateSides({ single: "[CLS] [SEP]", pair: "" })).toThrow(/expected "\$A" exactly once/);
    expect(() => templateJson(template, () => undefined)).toThrow(/expected tokens of the vocabulary, got "\[CLS\]"/);
  });

  it("knows what stands before and after", () => {
    expect(templateSides(template)).toEqual({ before: ["[CLS]"], after: ["[SEP]"] });
  });
});

describe("tokenizer_config.json and special_tokens_map.json", () => {
  const special = { unk_token: "<unk>", pad_token: "<pad>", cls_token: "<cls>" } as const;

  it("are read as written", () => {
    expect(readSpecialTokensMap(writeSpecialTokensMap(special))).toEqual(special);
    const text = writeTokenizerConfig({
      tokenizerClass: "BertTokenizer",
      modelInputNames: ["input_ids"],
      special,
      addedTokens: [{ id: 0, content: "<pad>", special: true }],
      extra: { mine: 1 },
    });
    const config = readTokenizerConfig(text);
    expect(config.special).toEqual(special);
    expect(config.tokenizerClass).toBe("BertTokenizer");
    expect(config.json["mine"]).toBe(1);
  });

  it("take tokens as strings, as objects or null", () => {
    expect(
      readSpecialTokensMap(JSON.stringify({ mask_token: { content: "<mask>", lstrip: true }, sep_token: null })),
    ).toEqual({ mask_token: "<mask>" });
    expect(() => readSpecialTokensMap('{"pad_token": 3}')).toThrow(
      /special_tokens_map.json, pad_token: expected a token.*got the number 3/,
    );
  });
});
