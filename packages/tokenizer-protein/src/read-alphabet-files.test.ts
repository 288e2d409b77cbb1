import { describe, expect, it } from "vitest";
import { FormatError } from "@cloze/errors";
import { amplify, esm2, protbert, proteinTokenizer, proteinTokenizerFromFiles } from "./index.ts";

const esmVocab = esm2().files()["vocab.txt"] as string;

function fault(files: Readonly<Record<string, string>>): FormatError {
  try {
    proteinTokenizerFromFiles(files);
  } catch (error) {
    if (FormatError.isInstance(error)) return error;
    throw error;
  }
  throw new Error("read without complaint");
}

/** The files of `esm2()` with some values of tokenizer.json replaced. */
function edited(change: (json: Record<string, unknown>) => void): Record<string, string> {
  const json = JSON.parse(esm2().files()["tokenizer.json"] as string) as Record<string, unknown>;
  change(json);
  return { "tokenizer.json": JSON.stringify(json) };
}

describe("files read back", () => {
  it.each([
    esm2(),
    protbert(),
    amplify(),
    esm2({ lowerCase: "unknown", separator: "" }),
    protbert({ replace: { "*": "X", U: "X" }, whiteSpace: "unknown" }),
    proteinTokenizer({
      name: "dssp",
      vocabulary: ["_", "?", "H", "E", "C"],
      special: { unk_token: "?", pad_token: "_" },
    }),
  ])("$name, all four", (tokenizer) => {
    const again = proteinTokenizerFromFiles(tokenizer.files());
    expect(again.alphabet).toEqual(tokenizer.alphabet);
    expect(again.hash).toBe(tokenizer.hash);
  });

  it.each([esm2(), protbert(), amplify()])(
    "$name, vocab.txt alone, as published: the alphabet is recognised",
    (tokenizer) => {
      const again = proteinTokenizerFromFiles({
        "vocab.txt": (tokenizer.files()["vocab.txt"] as string).trimEnd().replaceAll("\n", "\r\n"),
      });
      expect(again.alphabet).toEqual(tokenizer.alphabet);
    },
  );

  // Oracle: EsmTokenizer of transformers 5.24.0 on the same files.
  it("finds added tokens whole, at the ids that their file names, and keeps the alphabet's policy", () => {
    const more = proteinTokenizerFromFiles({ "vocab.txt": esmVocab, "added_tokens.json": '{"covid": 40, "<x>": 33}' });
    expect(more.name).toBe("esm2");
    expect(more.vocabulary.length).toBe(41);
    expect([...more.encode("MKTcovidAA <x>").ids]).toEqual([0, 20, 15, 11, 40, 5, 5, 33, 2]);
    expect(proteinTokenizerFromFiles(more.files()).alphabet).toEqual(more.alphabet);
  });

  it("takes an empty line as an id without a token", () => {
    const shifted = proteinTokenizerFromFiles({ "vocab.txt": esmVocab.replace("L\nA", "L\n\nA") });
    expect([...shifted.encode("LA").ids]).toEqual([0, 4, 6, 2]);
  });

  it("lets options override the files", () => {
    expect(proteinTokenizerFromFiles(esm2().files(), { lowerCase: "unknown" }).policy.lowerCase).toBe("unknown");
  });

  it("finds usual special tokens of an unknown vocabulary, and named ones", () => {
    const usual = proteinTokenizerFromFiles({ "vocab.txt": "<pad>\n<unk>\n<s>\n</s>\n<mask>\nA\nC\n" });
    expect([...usual.encode("AC").ids]).toEqual([2, 5, 6, 3]);
    expect(usual.name).toBe("protein");
    const named = proteinTokenizerFromFiles({
      "vocab.txt": "#\n?\nA\nC\n",
      "special_tokens_map.json": JSON.stringify({ unk_token: "?", pad_token: { content: "#", lstrip: false } }),
    });
    expect(named.special).toEqual({ pad: 0, unknown: 1 });
  });
});

describe("broken files", () => {
  it.each([
    ["no files", {}, "tokenizer.json or vocab.txt", "", /expected one of them, got no files/],
    [
      "an added token with the id of another",
      { "vocab.txt": esmVocab, "added_tokens.json": '{"covid": 5}' },
      "vocab.txt",
      "",
      /got "A" with the id 5, which Python gives to the added token "covid". Give the added token another id/,
    ],
    ["an empty file", { "vocab.txt": "" }, "vocab.txt", "", /empty file/],
    ["no unknown token", { "vocab.txt": "A\nC\n" }, "vocab.txt", "", /expected a token for the role unk_token/],
    [
      "words",
      { "vocab.txt": "[PAD]\n[UNK]\nthe\n##ing\n" },
      "vocab.txt",
      "",
      /got the token "the".*@cloze\/tokenizer-wordpiece/,
    ],
    ["not JSON", { "tokenizer.json": "version https://git-lfs" }, "tokenizer.json", "", /expected JSON.*Git LFS/],
    [
      "a config in its place",
      { "tokenizer.json": '{"hidden_size": 320}' },
      "tokenizer.json",
      "model",
      /Is this perhaps tokenizer_config.json/,
    ],
    [
      "BPE",
      edited((j) => {
        j["model"] = { type: "BPE", vocab: { "<pad>": 0, "<unk>": 1, A: 2, AA: 3 }, merges: ["A A"] };
        j["added_tokens"] = [];
      }),
      "tokenizer.json",
      "model.type",
      /got BPE with 1 merges.*@cloze\/tokenizer-bpe/,
    ],
    [
      "WordPiece of text",
      edited((j) => {
        j["model"] = { type: "WordPiece", vocab: { "[PAD]": 0, "[UNK]": 1, the: 2 } };
        j["added_tokens"] = [];
        j["post_processor"] = null;
      }),
      "tokenizer.json",
      "model (WordPiece)",
      /got the token "the".*@cloze\/tokenizer-wordpiece/,
    ],
    [
      "Unigram",
      edited((j) => {
        j["model"] = {
          type: "Unigram",
          vocab: [
            ["<unk>", 0],
            ["a", -1],
          ],
        };
        j["added_tokens"] = [];
      }),
      "tokenizer.json",
      "model.type",
      /got Unigram.*@cloze\/tokenizer-unigram/,
    ],
    [
      "two vocabularies",
      { ...esm2().files(), "vocab.txt": amplify().files()["vocab.txt"] as string },
      "vocab.txt",
      "line 1",
      /expected the string "<cls>" as in tokenizer.json, got the string "<pad>"/,
    ],
    [
      "a policy misspelt",
      { "vocab.txt": esmVocab, "tokenizer_config.json": '{"cloze": {"lowerCase": "down"}}' },
      "tokenizer_config.json",
      "cloze.lowerCase",
      /expected "upper" or "unknown", got the string "down"/,
    ],
  ] as const)("%s", (_, files, file, place, message) => {
    const error = fault(files as Readonly<Record<string, string>>);
    expect({ file: error.file, place: error.place }).toEqual({ file, place });
    expect(error.message).toMatch(message);
  });
});
