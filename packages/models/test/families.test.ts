/** Families: names, configurations, and reading of checkpoints by the rules of transformers. */
import { FormatError, UnsupportedError } from "@cloze/errors";
import { sizeOf, type Shape } from "@cloze/graph";
import { initialize } from "@cloze/nn";
import {
  hasHead,
  headParameters,
  openModel,
  publishedConfig,
  publishedNames,
  readWeights,
  type Head,
  type OpenedModel,
  type StoredTensors,
} from "@cloze/models/families";
import { describe, expect, it } from "vitest";

const small = {
  model_type: "bert",
  vocab_size: 20,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 10,
};
const esm = {
  model_type: "esm",
  position_embedding_type: "rotary",
  vocab_size: 33,
  pad_token_id: 1,
  mask_token_id: 32,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 34,
};
const opened = (more: object = {}): Promise<OpenedModel> => openModel({ ...small, ...more });

/** A checkpoint in memory. */
type Tensors = Record<string, { readonly shape: Shape; readonly data: Float32Array }>;
const stored = (tensors: Tensors): StoredTensors => ({
  shapes: new Map(Object.entries(tensors).map(([name, { shape }]) => [name, shape])),
  read: async (name) => Float32Array.from(tensors[name]?.data ?? []),
});

/** The tensors that transformers would save for this head. */
function saved(model: OpenedModel, head: Head): Tensors {
  return Object.fromEntries(
    Object.entries(initialize(headParameters(model.model, head, model.labels.length), 3)).map(
      ([name, { shape, data }]) => [name, { shape, data: data as Float32Array }],
    ),
  );
}
const renamed = (tensors: Tensors, change: (name: string) => string): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [change(name), tensor]));

describe("published sizes", () => {
  it("open under their names", async () => {
    const names = await publishedNames();
    expect(names).toEqual(
      expect.arrayContaining([
        "bert-tiny",
        "bert-base-uncased",
        "protbert",
        "minilm-l6",
        "modernbert-base",
        "ettin-17m",
        "amplify-120m",
        "amplify-350m",
        "neobert",
        "esm2-8m",
        "speedrun-133m",
      ]),
    );
    for (const name of ["bert-tiny", "esm2-8m", "speedrun-133m"])
      expect((await openModel(await publishedConfig(name))).labels).toEqual(["LABEL_0", "LABEL_1"]);
    await expect(publishedConfig("bert-giant")).rejects.toThrow(
      /model "bert-giant": expected one of bert-tiny, .*esm2-15b.* got a name that is none of them/,
    );
  });

  it("of families that are not here are refused", async () => {
    await expect(openModel({ model_type: "t5" }, { file: "m/config.json" })).rejects.toThrow(
      /m\/config\.json, model_type: expected "bert" or .*"esm".*, got "t5"/,
    );
    await expect(openModel([])).rejects.toSatisfy(FormatError.isInstance);
    await expect(openModel({ model_type: "constructor" })).rejects.toSatisfy(UnsupportedError.isInstance);
  });
});

describe("another vocabulary", () => {
  it("makes a model for that tokenizer", async () => {
    const bert = await openModel(small, { vocab: 7, special: { pad: 3 } });
    expect([bert.model.vocab, bert.padId, JSON.parse(bert.configText())]).toMatchObject([
      7,
      3,
      { vocab_size: 7, pad_token_id: 3 },
    ]);
    const other = await openModel(esm, { vocab: 30, special: { pad: 0, mask: 4, end: 3 } });
    expect(JSON.parse(other.configText())).toMatchObject({
      vocab_size: 30,
      pad_token_id: 0,
      mask_token_id: 4,
      eos_token_id: 3,
    });
    const text = await openModel(await publishedConfig("speedrun-133m"), { vocab: 30, special: { pad: 0, mask: 4 } });
    expect([text.model.vocab, JSON.parse(text.configText())]).toMatchObject([
      30,
      { model_type: "cloze_speedrun", vocab_size: 30, pad_token_id: 0, mask_token_id: 4 },
    ]);
  });
});

describe("config.json of a checkpoint", () => {
  it("names the class of transformers that holds the head", async () => {
    const { configText, architectures } = await opened();
    const classes = (Object.keys(architectures) as Head[]).map(
      (head) => (JSON.parse(configText({ head })) as { architectures: string[] }).architectures[0],
    );
    expect(classes).toEqual([
      "BertForMaskedLM",
      "BertForNextSentencePrediction",
      "BertForPreTraining",
      "BertForSequenceClassification",
      "BertForTokenClassification",
      "BertForQuestionAnswering",
      "BertForMultipleChoice",
    ]);
    const other = await openModel(esm);
    expect(JSON.parse(other.configText({ head: "token-classification" }))).toMatchObject({
      architectures: ["EsmForTokenClassification"],
    });
    expect(() => other.configText({ head: "multiple-choice" })).toThrow(
      "esm: expected a head of this family (masked-lm, sequence-classification, token-classification), got " +
        "multiple-choice",
    );
  });

  it("holds the labels of the head it saves", async () => {
    const model = await opened({
      id2label: { 0: "no", 1: "yes", 2: "maybe" },
      label2id: { no: 0, yes: 1, maybe: 2 },
      problem_type: "regression",
      torch_dtype: "bfloat16",
    });
    expect(model.labels).toEqual(["no", "yes", "maybe"]);
    expect(JSON.parse(model.configText({ head: "sequence-classification" }))).toMatchObject({
      id2label: { 0: "no", 1: "yes", 2: "maybe" },
      problem_type: "regression",
      torch_dtype: "float32",
    });
    const given = JSON.parse(
      model.configText({
        head: "token-classification",
        labels: ["O", "B"],
        problemType: "single_label_classification",
      }),
    ) as object;
    expect(given).toMatchObject({
      id2label: { 0: "O", 1: "B" },
      label2id: { O: 0, B: 1 },
      problem_type: "single_label_classification",
    });
    // With these labels transformers would give the question head three outputs.
    expect(JSON.parse(model.configText({ head: "question-answering" }))).not.toHaveProperty("id2label");
    expect(() => model.configText({ head: "token-classification", labels: ["O", "O"] })).toThrow(
      'labels: expected different names, got "O" twice',
    );
  });

  it.each([
    [{ id2label: { 0: "a", 2: "b" } }, "config.json, id2label: expected a name for each of 0 to 1, got nothing for 1"],
    [{ id2label: ["a"] }, "id2label: expected an object from numbers to names"],
    [{ id2label: {} }, "id2label: expected at least one label, got none"],
    [{ num_labels: 0 }, "num_labels: expected a whole number from 1, got 0"],
  ])("with labels that cannot be: %#", async (more, message) => {
    await expect(opened(more)).rejects.toThrow(message);
  });
});

describe("readWeights", () => {
  const read = async (tensors: Tensors, more: object = {}): ReturnType<typeof readWeights> =>
    readWeights(await opened(more), stored(tensors), "model.safetensors");

  it.each([
    ["masked-lm", "BertForMaskedLM", ["masked-lm"]],
    ["masked-lm+sentence-pair", "BertForPreTraining", ["masked-lm", "sentence-pair", "masked-lm+sentence-pair"]],
    ["sequence-classification", "BertForSequenceClassification", ["sequence-classification"]],
    ["multiple-choice", "BertForMultipleChoice", ["multiple-choice"]],
    ["question-answering", "BertForQuestionAnswering", ["question-answering"]],
  ] as const)("finds the head that is there: %s", async (head, architecture, heads) => {
    const more = { architectures: [architecture] };
    const tensors = saved(await opened(more), head);
    const got = await read(tensors, more);
    expect(got.heads).toEqual(heads);
    expect(Object.keys(got.weights).sort()).toEqual(Object.keys(tensors).sort());
  });

  it("takes no classifier where config.json names none: which it is, nobody says", async () => {
    const tensors = saved(await opened(), "token-classification");
    expect(await read(tensors)).toMatchObject({ heads: [] });
  });

  it("reads names of old, copies, buffers, and an encoder that was saved alone", async () => {
    const plain = saved(await opened(), "masked-lm+sentence-pair");
    const { weights: expected } = await read(plain);
    const old = renamed(plain, (name) =>
      name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
    );
    const table = plain["bert.embeddings.word_embeddings.weight"] as Tensors[string];
    const bias = plain["cls.predictions.bias"] as Tensors[string];
    expect(
      (
        await read({
          ...old,
          "cls.predictions.decoder.weight": table,
          "cls.predictions.decoder.bias": bias,
          "bert.embeddings.position_ids": { shape: [1, 10], data: new Float32Array(10) },
        })
      ).weights,
    ).toEqual(expected);
    const { "cls.predictions.bias": _, ...others } = plain;
    expect((await read({ ...others, "cls.predictions.decoder.bias": bias })).weights).toEqual(expected);
    const alone = Object.fromEntries(Object.entries(plain).filter(([name]) => name.startsWith("bert.")));
    const bare = await read(renamed(alone, (name) => name.slice("bert.".length)));
    expect(Object.keys(bare.weights).sort()).toEqual(Object.keys(alone).sort());
    expect(bare.heads).toEqual([]);
  });

  it("reads each head of the speedrun encoder, whole or its encoder alone", async () => {
    const json = {
      model_type: "cloze_speedrun",
      vocab_size: 9,
      hidden_size: 8,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      intermediate_size: 12,
      pad_token_id: 0,
      mask_token_id: 4,
    };
    for (const [head, name] of [
      ["masked-lm", "SpeedrunForMaskedLM"],
      ["sequence-classification", "SpeedrunForSequenceClassification"],
      ["token-classification", "SpeedrunForTokenClassification"],
    ] as const) {
      const model = await openModel({ ...json, architectures: [name] });
      const tensors = saved(model, head);
      const got = await readWeights(model, stored(tensors), "m");
      expect([got.heads, Object.keys(got.weights).sort()]).toEqual([[head], Object.keys(tensors).sort()]);
      const alone = renamed(
        Object.fromEntries(Object.entries(tensors).filter(([key]) => key.startsWith("model."))),
        (key) => key.slice("model.".length),
      );
      expect((await readWeights(model, stored(alone), "m")).heads).toEqual([]);
    }
  });

  it("refuses what does not belong together", async () => {
    const plain = saved(await opened(), "masked-lm");
    const table = plain["bert.embeddings.word_embeddings.weight"] as Tensors[string];
    const zeros = (shape: Shape): Tensors[string] => ({ shape, data: new Float32Array(sizeOf(shape)) });
    const { "bert.encoder.layer.0.output.dense.bias": _, ...short } = plain;
    const name = "bert.encoder.layer.1.output.dense.bias";
    await expect(read(short)).rejects.toThrow(
      'model.safetensors, tensor "bert.encoder.layer.0.output.dense.bias": expected [8], got no such tensor',
    );
    await expect(read({ ...plain, [name]: zeros([8]) })).rejects.toThrow(
      `tensor "${name}": the model of config.json has no such parameter`,
    );
    await expect(read({ ...plain, "bert.encoder.layer.0.output.dense.bias": zeros([9]) })).rejects.toThrow(
      "expected [8], got [9]",
    );
    await expect(read({ ...plain, "cls.predictions.decoder.weight": zeros(table.shape) })).rejects.toThrow(
      'expected a copy of "bert.embeddings.word_embeddings.weight", got other numbers',
    );
    await expect(read({ ...plain, "bert.embeddings.LayerNorm.gamma": zeros([8]) })).rejects.toThrow(
      'the same parameter as "bert.embeddings.LayerNorm.weight"',
    );
    const more = { architectures: ["BertForSequenceClassification"] };
    await expect(
      read(saved(await opened(more), "sequence-classification"), { ...more, num_labels: 5 }),
    ).rejects.toThrow('tensor "classifier.weight": expected [5, 8], got [2, 8]');
  });

  it("reads an untied decoder as its own parameter, with the bias that nothing uses", async () => {
    const more = { tie_word_embeddings: false };
    const tensors = saved(await opened(more), "masked-lm");
    const { weights, heads } = await read(tensors, more);
    expect(heads).toEqual(["masked-lm"]);
    expect(
      Object.keys(weights)
        .filter((name) => name.endsWith("bias") && name.startsWith("cls.predictions") && !name.includes("transform"))
        .sort(),
    ).toEqual(["cls.predictions.bias", "cls.predictions.decoder.bias"]);
  });
});

describe("modernbert", () => {
  const modern = {
    model_type: "modernbert",
    vocab_size: 20,
    pad_token_id: 0,
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 12,
    id2label: { 0: "a", 1: "b", 2: "c" },
  };

  it("names the ids of another tokenizer, and none where it has no such token", async () => {
    const given = await openModel(await publishedConfig("ettin-17m"), {
      vocab: 30,
      special: { pad: 0, mask: 4, start: 2, end: 3 },
    });
    const none = await openModel(modern, { special: { pad: 0 } });
    expect(JSON.parse(given.configText())).toMatchObject({
      vocab_size: 30,
      pad_token_id: 0,
      bos_token_id: 2,
      cls_token_id: 2,
      eos_token_id: 3,
      sep_token_id: 3,
    });
    expect(JSON.parse(none.configText())).toMatchObject({
      bos_token_id: null,
      cls_token_id: null,
      eos_token_id: null,
      sep_token_id: null,
    });
  });

  it.each([
    ["sequence-classification", "ModernBertForSequenceClassification"],
    ["question-answering", "ModernBertForQuestionAnswering"],
    ["token-classification", "ModernBertForTokenClassification"],
    ["multiple-choice", "ModernBertForMultipleChoice"],
    ["masked-lm", "ModernBertForMaskedLM"],
  ] as const)("has classifiers of one name, of which config.json says which it is: %s", async (head, architecture) => {
    const model = await openModel({ ...modern, architectures: [architecture] });
    const tensors = saved(model, head);
    const { heads, weights } = await readWeights(model, stored(tensors), "model.safetensors");
    expect(heads).toEqual([head]);
    expect(Object.keys(weights).sort()).toEqual(Object.keys(tensors).sort());
  });

  it("reads an encoder that was saved alone, and a copy of the table as the decoder", async () => {
    const model = await openModel(modern);
    const plain = saved(model, "masked-lm");
    const table = plain["model.embeddings.tok_embeddings.weight"] as Tensors[string];
    expect((await readWeights(model, stored({ ...plain, "decoder.weight": table }), "f")).heads).toEqual(["masked-lm"]);
    const alone = Object.fromEntries(Object.entries(plain).filter(([name]) => name.startsWith("model.")));
    expect(
      Object.keys(
        (await readWeights(model, stored(renamed(alone, (name) => name.slice("model.".length))), "f")).weights,
      ).sort(),
    ).toEqual(Object.keys(alone).sort());
  });
});

describe("AMPLIFY and NeoBERT", () => {
  const sizes = {
    vocab_size: 20,
    pad_token_id: 0,
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 12,
    id2label: { 0: "a", 1: "b", 2: "c" },
  };

  it.each([
    ["AMPLIFY", "masked-lm", "AMPLIFY"],
    ["AMPLIFY", "sequence-classification", "AMPLIFYForSequenceClassification"],
    ["AMPLIFY", "token-classification", "AMPLIFYForTokenClassification"],
    ["neobert", "masked-lm", "NeoBERTLMHead"],
    ["neobert", "sequence-classification", "NeoBERTForSequenceClassification"],
    ["neobert", "token-classification", "NeoBERTForTokenClassification"],
  ] as const)("%s: read each head, whole or the encoder alone: %s", async (type, head, architecture) => {
    const model = await openModel({ ...sizes, model_type: type, architectures: [architecture] });
    const tensors = saved(model, head);
    const { heads, weights } = await readWeights(model, stored(tensors), "f");
    expect([heads, Object.keys(weights).sort()]).toEqual([[head], Object.keys(tensors).sort()]);
    expect(JSON.parse(model.configText({ head }))).toMatchObject({ architectures: [architecture] });
    const alone = Object.fromEntries(
      Object.entries(tensors).filter(([name]) => !/^(decoder|dense|classifier)\./.test(name)),
    );
    expect(
      (await readWeights(model, stored(renamed(alone, (name) => name.replace(/^model\./, ""))), "f")).heads,
    ).toEqual([]);
  });

  it("refuse a layer that config.json does not have", async () => {
    const model = await openModel({ ...sizes, model_type: "AMPLIFY" });
    const tensors = saved(model, "masked-lm");
    const more = { ...tensors, "transformer_encoder.2.wo.weight": { shape: [8, 8], data: new Float32Array(64) } };
    await expect(readWeights(model, stored(more), "f")).rejects.toThrow(
      'f, tensor "transformer_encoder.2.wo.weight": the model of config.json has no such parameter',
    );
  });
});

it("tells which heads a model has", async () => {
  const { model } = await openModel(esm);
  expect([hasHead(model, "token-classification"), hasHead(model, "question-answering")]).toEqual([true, false]);
  expect(() => headParameters(model, "multiple-choice", 2, "esm2-tiny")).toThrow(
    "esm2-tiny: expected a model with a head for multiple-choice, got one without. It has: masked-lm, " +
      "sequence-classification, token-classification",
  );
});
