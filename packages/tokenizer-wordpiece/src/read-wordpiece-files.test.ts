import { describe, expect, it } from "vitest";
import { FormatError } from "@cloze/errors";
import { withTokens, wordPiece, wordPieceFromFiles } from "./index.ts";

const vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s"];
const tokenizer = wordPiece({ vocabulary });
const files = tokenizer.files();
const vocab = files["vocab.txt"] as string;

function fault(given: Readonly<Record<string, string>>): FormatError {
  try {
    wordPieceFromFiles(given);
  } catch (error) {
    if (FormatError.isInstance(error)) return error;
    throw error;
  }
  throw new Error("read without complaint");
}

/** The tokenizer files with some replaced values in tokenizer.json. */
function edited(change: (json: Record<string, unknown>) => void): Record<string, string> {
  const json = JSON.parse(files["tokenizer.json"] as string) as Record<string, unknown>;
  change(json);
  return { "tokenizer.json": JSON.stringify(json) };
}

describe("files read back", () => {
  it("all settings that are not BERT's", () => {
    const other = wordPiece({
      name: "other",
      vocabulary: ["<pad>", "<unk>", "<s>", "</s>", "the", "@@s"],
      prefix: "@@",
      maxWordLength: 7,
      lowercase: false,
      stripAccents: true,
      chineseCharacters: false,
      special: { unk_token: "<unk>", pad_token: "<pad>", bos_token: "<s>", eos_token: "</s>" },
      template: { single: "<s> $A </s>", pair: "<s> $A </s> </s> $B </s>" },
      cleanUp: "tokens",
      modelMaxLength: 512,
      modelInputNames: ["input_ids", "attention_mask"],
    });
    // BertTokenizer would take BERT's settings, and add [SEP], [CLS] and [MASK].
    expect(other.files()["tokenizer_config.json"]).toContain('"tokenizer_class": "PreTrainedTokenizerFast"');
    expect(wordPieceFromFiles(other.files()).config).toEqual(other.config);
    expect([...other.encode("thes", { pair: "the" }).ids]).toEqual([2, 4, 5, 3, 3, 4, 3]);
    expect([...wordPieceFromFiles(other.files()).encode("thethethe").ids]).toEqual([2, 1, 3]);
  });

  // Oracle: BertTokenizer of transformers 5.24.0 on the same file.
  it("vocab.txt as published: BERT's defaults, Windows line ends, tokens that are not there behind the others", () => {
    const plain = wordPieceFromFiles({ "vocab.txt": "[PAD]\r\n[UNK]\r\nthe\r\n" });
    expect([...plain.encode("The").ids]).toEqual([4, 2, 3]);
    expect(plain.special).toEqual({ pad: 0, unknown: 1, end: 3, start: 4, mask: 5 });
  });

  it("says where Python gives an added token another id than its file", () => {
    const { vocabulary, remarks } = wordPieceFromFiles({ "vocab.txt": vocab, "added_tokens.json": '{"covid": 160}' });
    expect(vocabulary.at(-1)).toBe("covid");
    expect(remarks).toEqual(['the files name the id 160 for the added token "covid"; as in Python its id is 8']);
    expect(wordPieceFromFiles({ "vocab.txt": vocab, "added_tokens.json": '{"covid": 8}' }).remarks).toEqual([]);
  });

  // Oracle: these classes of transformers 5.24.0 on the same files.
  it.each([
    ["BertTokenizer", true],
    ["DistilBertTokenizerFast", true],
    ["ElectraTokenizer", true],
    ["PreTrainedTokenizerFast", false],
    ["ConvBertTokenizer", false],
    ["ANewTokenizer", false],
  ])("do_lower_case for %s: %s", (name, overrides) => {
    const json = edited((j) => {
      j["normalizer"] = { type: "BertNormalizer", lowercase: true, strip_accents: false };
    });
    const config = { tokenizer_class: name, do_lower_case: false };
    const read = wordPieceFromFiles({ ...json, "tokenizer_config.json": JSON.stringify(config) });
    expect(read.config.lowercase).toBe(!overrides);
    expect(read.config.stripAccents).toBe(overrides ? undefined : false);
  });

  it("tokenizer_config.json overrides tokenizer.json, options override both", () => {
    const given = {
      ...files,
      "tokenizer_config.json": '{"do_lower_case": false, "tokenize_chinese_chars": false, "model_max_length": 1e30}',
    };
    expect(wordPieceFromFiles(given).config).toMatchObject({ lowercase: false, chineseCharacters: false });
    expect(wordPieceFromFiles(given).config.modelMaxLength).toBeUndefined();
    expect(wordPieceFromFiles(given, { lowercase: true }).config.lowercase).toBe(true);
  });

  it("further tokens: whole, at the end, once", () => {
    const more = withTokens(withTokens(tokenizer, ["Cat House", "the", "Cat House"]), ["<e>"], { special: true });
    expect(more.vocabulary.slice(8)).toEqual(["Cat House", "<e>"]);
    expect([...more.encodeIds("the cat house<e>cats")]).toEqual([5, 8, 9, 6, 7]);
    expect(more.specialIds.has(9)).toBe(true);
    expect(more.config.modelSize).toBe(8);
    expect(more.hash).not.toBe(tokenizer.hash);
    expect(wordPieceFromFiles(more.files()).config).toEqual(more.config);
  });
});

describe("broken files", () => {
  it.each([
    ["no files", {}, "tokenizer.json or vocab.txt", "", /expected one of them, got no files/],
    [
      "a token twice, and the id of the last line taken by an added token",
      { "vocab.txt": `${vocab}the\n`, "added_tokens.json": '{"new": 9}' },
      "vocab.txt",
      "",
      /got "the" with the id 8, which Python gives to the added token "new". The id 5, line 6 of a/,
    ],
    [
      "no unknown token",
      { "vocab.txt": "[PAD]\nthe\n" },
      "vocab.txt",
      "",
      /expected the unk_token "\[UNK\]" in the vocabulary/,
    ],
    [
      "no unknown token in tokenizer.json",
      edited((j) => {
        j["model"] = { type: "WordPiece", vocab: { "[PAD]": 0, the: 1 } };
        j["added_tokens"] = [];
        j["post_processor"] = null;
      }),
      "tokenizer.json",
      "model.vocab",
      /expected the unk_token "\[UNK\]"/,
    ],
    [
      "BPE",
      edited((j) => {
        j["model"] = { type: "BPE", vocab: { "<unk>": 0, a: 1 }, merges: [] };
        j["added_tokens"] = [];
      }),
      "tokenizer.json",
      "model.type",
      /expected WordPiece, got BPE/,
    ],
    [
      "another normalizer",
      edited((j) => {
        j["normalizer"] = { type: "NFKC" };
      }),
      "tokenizer.json",
      "normalizer",
      /expected BertNormalizer, got the string "NFKC"/,
    ],
    [
      "a normalizer's flag",
      edited((j) => {
        j["normalizer"] = { type: "BertNormalizer", lowercase: "yes" };
      }),
      "tokenizer.json",
      "normalizer.lowercase",
      /expected true or false, got the string "yes"/,
    ],
    [
      "another pre-tokenizer",
      edited((j) => {
        j["pre_tokenizer"] = { type: "Whitespace" };
      }),
      "tokenizer.json",
      "pre_tokenizer",
      /expected BertPreTokenizer, got the string "Whitespace"/,
    ],
    [
      "an added token in between",
      edited((j) => {
        (j["model"] as { vocab: Record<string, number> }).vocab = { "[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 4 };
        j["added_tokens"] = [{ id: 3, content: "x" }];
      }),
      "tokenizer.json",
      "",
      /got "\[SEP\]" with the id 4, which Python gives to the added token "x"/,
    ],
    [
      "two vocabularies",
      { ...files, "vocab.txt": vocab.replace("cat", "dog") },
      "vocab.txt",
      "line 7",
      /expected the string "cat" as in tokenizer.json, got the string "dog"/,
    ],
    [
      "a vocabulary cut short",
      { ...files, "vocab.txt": vocab.replace("##s\n", "") },
      "vocab.txt",
      "line 8",
      /got nothing/,
    ],
    [
      "a setting misspelt",
      { "vocab.txt": vocab, "tokenizer_config.json": '{"do_lower_case": "no"}' },
      "tokenizer_config.json",
      "do_lower_case",
      /expected true or false, got the string "no"/,
    ],
    [
      "no basic tokenizer",
      { "vocab.txt": vocab, "tokenizer_config.json": '{"do_basic_tokenize": false}' },
      "tokenizer_config.json",
      "do_basic_tokenize",
      /expected true, got false/,
    ],
    [
      "an added token without an id",
      { "vocab.txt": vocab, "added_tokens.json": '{"covid": "8"}' },
      "added_tokens.json",
      '"covid"',
      /expected an id \(a whole number from 0\), got the string "8"/,
    ],
    ["not JSON", { "tokenizer.json": "version https://git-lfs" }, "tokenizer.json", "", /expected JSON.*Git LFS/],
  ] as const)("%s", (_, given, file, place, message) => {
    const error = fault(given as Readonly<Record<string, string>>);
    expect({ file: error.file, place: error.place }).toEqual({ file, place });
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("\n");
  });

  it.each([
    [{ vocabulary: ["[PAD]", "[UNK]", "a", "a"] }, /expected each token once, got "a" for ids 2 and 3/],
    [{ vocabulary: ["[PAD]", "a"] }, /expected the unk_token "\[UNK\]" in the vocabulary, got 2 tokens without it/],
    [
      { vocabulary, template: { single: "[BOS] $A", pair: "$A $B" } },
      /expected the template to name tokens of the vocabulary, got "\[BOS\]"/,
    ],
    [
      { vocabulary, addedTokens: [{ id: 6, content: "the", special: false }] },
      /expected the added token "the" at id 6 of the vocabulary, got "cat"/,
    ],
  ])("options %#", (options, message) => {
    expect(() => wordPiece(options)).toThrow(message);
  });
});
