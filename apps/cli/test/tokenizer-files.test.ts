// The tokenizer files of a folder, its tokens beside the model's, and places in texts.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "@cloze/checkpoint/node";
import { headParameters, openModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { esm2 } from "@cloze/tokenizer-protein";
import { saveCheckpoint } from "@cloze/trainer";
import { describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, dir } = cli();
const BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ann", "the", "cat", "😀", "𝒜", ".", "##s"];
const bertVocab = `${BERT.join("\n")}\n`;
const esmVocab = esm2().files()["vocab.txt"] as string;

function folder(name: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(join(dir, name), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, name, file), text);
  return name;
}

// Oracle: AutoTokenizer of transformers 5.24.0 on the same folders.
describe("tokens that files name are tokens", () => {
  test.each([
    ["wordpiece", { "vocab.txt": bertVocab, "added_tokens.json": '{"covid": 12}' }, "bert", [2, 6, 12, 7, 3]],
    [
      "decoder",
      {
        "vocab.txt": bertVocab,
        "tokenizer_config.json": JSON.stringify({
          tokenizer_class: "BertTokenizer",
          added_tokens_decoder: { 12: { content: "the covid", special: false, normalized: true } },
        }),
      },
      "bert",
      [2, 12, 7, 3],
    ],
    [
      "roberta",
      {
        "vocab.json": JSON.stringify(
          Object.fromEntries(["<s>", "<pad>", "</s>", "<unk>", "Ġ", "the", "cat"].map((t, i) => [t, i])),
        ),
        "merges.txt": "#version: 0.2\n",
        "added_tokens.json": '{"the": 5, "covid": 8, "cat": 6}',
      },
      "roberta",
      [0, 5, 4, 7, 4, 6, 2],
    ],
  ] as const)("%s", async (name, files, type, ids) => {
    const made = folder(`tokens-${name}`, { ...files, "config.json": JSON.stringify({ model_type: type }) });
    const { sequences } = (await run("tokenize", "the covid cat", "--tokenizer", made, "--json")).json();
    expect(sequences).toMatchObject([{ ids }]);
  });

  test("an id that Python does not give is said", async () => {
    const made = folder("tokens-gap", {
      "vocab.txt": bertVocab,
      "added_tokens.json": '{"covid": 160}',
      "config.json": '{"model_type": "bert"}',
    });
    const { err, json } = await run("tokenize", "covid", "--tokenizer", made, "--json");
    expect(json()["sequences"]).toMatchObject([{ ids: [2, 12, 3] }]);
    expect(err).toMatch(/tokens-gap: the files name the id 160 for the added token "covid"; as in Python its id is 12/);
  });

  test("residues, with a word among the added tokens", async () => {
    const made = folder("tokens-esm", {
      "vocab.txt": esmVocab,
      "added_tokens.json": '{"covid": 33}',
      "config.json": '{"model_type": "esm"}',
    });
    const { tokenizer, sequences } = (await run("tokenize", "MKTcovidAA", "--tokenizer", made, "--json")).json();
    expect(tokenizer).toMatchObject({ name: "esm2", vocabularySize: 34 });
    expect(sequences).toMatchObject([{ ids: [0, 20, 15, 11, 33, 5, 5, 2] }]);
  });
});

// Oracle: offsets of BertTokenizer of transformers 5.24.0.
test("places in a text and in its pair are code points", async () => {
  const made = folder("places", { "vocab.txt": bertVocab, "config.json": '{"model_type": "bert"}' });
  const argv = ["tokenize", "😀 the 𝒜 cat", "--pair", "😀 Ann.", "--tokenizer", made];
  const { sequences } = (await run(...argv, "--json")).json();
  expect(sequences).toMatchObject([
    {
      ids: [2, 8, 6, 9, 7, 3, 8, 5, 10, 3],
      offsets: [
        [0, 0],
        [0, 1],
        [2, 5],
        [6, 7],
        [8, 11],
        [0, 0],
        [0, 1],
        [2, 5],
        [5, 6],
        [0, 0],
      ],
    },
  ]);
  expect((await run(...argv, "--table")).out).toMatch(/^cat +7 +8 +11 /m);
});

describe("a tokenizer and a model that differ in size", () => {
  async function model(
    name: string,
    vocab: number,
    files: Readonly<Record<string, string>>,
    type: "esm" | "bert" = "esm",
  ): Promise<string> {
    const { model, buffers, maxLength, extraParameters, configText } = await openModel({
      model_type: type,
      vocab_size: vocab,
      hidden_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 12,
      max_position_embeddings: 32,
      ...(type === "esm" ? { position_embedding_type: "rotary", pad_token_id: 1, mask_token_id: 32 } : {}),
    });
    const head = "masked-lm";
    await saveCheckpoint(join(dir, name), {
      source: { name, model, buffers, maxLength, extraParameters, configText: configText({ head }) },
      weights: initialize(headParameters(model, head, 2), 5),
      tokenizerFiles: files,
    });
    return name;
  }
  const fill = (checkpoint: string, text: string): ReturnType<typeof run> =>
    run("fill-mask", text, "--checkpoint", checkpoint, "--backend", "reference");

  test("a larger model is said", async () => {
    const { code, err } = await fill(await model("larger", 40, { "vocab.txt": esmVocab }), "MK<mask>");
    expect(code).toBe(0);
    expect(err).toMatch(/larger: the tokenizer esm2 has 33 tokens, the model 40: the ids from 33 on occur in no text/);
  });

  test("resizing keeps the rows of added tokens, and adds behind them", async () => {
    const files = { "vocab.txt": bertVocab, "added_tokens.json": '{"covid": 12}' };
    const from = await model("with-added", 13, files, "bert");
    const { code, json } = await run("checkpoint", "resize", from, "wider", "--add-token", "zika", "--json");
    expect(code).toBe(0);
    expect(json()).toMatchObject({ kept: 13, added: ["zika"], dropped: [] });
    const { sequences } = (await run("tokenize", "covid zika the", "--tokenizer", "wider", "--json")).json();
    expect(sequences).toMatchObject([{ ids: [2, 12, 13, 6, 3] }]);
    const rows = async (name: string): Promise<Uint8Array> => {
      const { tensors } = await readSafetensors(join(dir, name, "model.safetensors"));
      return tensors.get("bert.embeddings.word_embeddings.weight")?.data ?? new Uint8Array();
    };
    const was = await rows(from);
    expect(was.length).toBe(13 * 8 * 4);
    expect((await rows("wider")).subarray(0, was.length)).toEqual(was);
  });

  test("the same size is not", async () => {
    expect((await fill(await model("same", 33, { "vocab.txt": esmVocab }), "MK<mask>")).err).not.toMatch(
      /tokens, the model/,
    );
  });

  test("a token without a row is an error", async () => {
    const files = { "vocab.txt": esmVocab, "added_tokens.json": '{"covid": 33}' };
    const { code, out, err } = await fill(await model("smaller", 33, files), "MK<mask>");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(
      /expected a tokenizer of at most the model's 33 tokens, got esm2 with 34: "covid" have ids from 33 on/,
    );
  });
});
