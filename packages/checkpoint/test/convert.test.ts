// A converted checkpoint of another library equals, byte for byte, the checkpoint that Hugging Face's classes write of
// the same weights.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  fairEsm,
  fromFloat32,
  huggingFace,
  namingOf,
  namings,
  renameTensors,
  tensorflowBert,
  toFloat32,
} from "../src/index.ts";
import {
  convertCheckpoint,
  openCheckpointTensors,
  openTensorSet,
  readSafetensors,
  writeSafetensors,
  type ConvertOptions,
  type TensorSource,
} from "../src/node.ts";
import { scratch } from "./scratch.ts";

const golden = fileURLToPath(new URL("./golden/convert", import.meta.url));

/** Compares all tensors except rotary frequencies: transformers 5 holds them once, checkpoints hold them per layer. */
async function same(folder: string, expected: string): Promise<void> {
  const theirs = await readSafetensors(join(golden, expected));
  const ours = await openCheckpointTensors(folder);
  const frequencies = /\.inv_freq$/;
  const names = (all: Iterable<string>): readonly string[] => [...all].filter((name) => !frequencies.test(name)).sort();
  expect(names(ours.entries.keys())).toEqual(names(theirs.tensors.keys()));
  for (const name of ours.entries.keys()) {
    const wanted = theirs.tensors.get(frequencies.test(name) ? "esm.rotary_embeddings.inv_freq" : name);
    const { dtype, shape } = ours.entries.get(name) ?? {};
    expect([name, dtype, shape]).toEqual([name, wanted?.dtype, wanted?.shape]);
    expect(Buffer.compare(await ours.read(name), wanted?.data ?? Buffer.alloc(0)), name).toBe(0);
  }
  await ours.close();
}

/** Converts into a new folder. */
async function converted(
  input: string,
  options: ConvertOptions = {},
): Promise<{ readonly folder: string } & Awaited<ReturnType<typeof convertCheckpoint>>> {
  const folder = join(scratch(), "out");
  return { folder, ...(await convertCheckpoint(input, folder, options)) };
}

const configOf = (folder: string): string => readFileSync(join(folder, "config.json"), "utf8");

describe("fair-esm", () => {
  it("becomes EsmForMaskedLM", async () => {
    const { folder, naming, config, left, tensors } = await converted(join(golden, "fair-esm.safetensors"));
    await same(folder, "esm-hf.safetensors");
    expect([naming, config, tensors.length]).toEqual(["fair-esm", "made from shapes", 44]);
    expect(left).toEqual([{ name: "lm_head.weight", why: "a copy of embed_tokens.weight" }]);
    expect(JSON.parse(configOf(folder))).toMatchObject({
      model_type: "esm",
      architectures: ["EsmForMaskedLM"],
      hidden_size: 16,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      intermediate_size: 64,
      vocab_size: 33,
      position_embedding_type: "rotary",
    });
    expect(configOf(folder)).toContain('"hidden_dropout_prob": 0.0,');
  });

  it("with fairseq's prefixes as without; an untied head stays", async () => {
    const { tensors } = await readSafetensors(join(golden, "fair-esm.safetensors"));
    const file = join(scratch(), "fairseq.safetensors");
    await writeSafetensors(
      file,
      [...tensors.values()].map(({ name, data, ...spec }): TensorSource => ({
        ...spec,
        name: /^(lm_head|contact_head)/.test(name) ? `encoder.${name}` : `encoder.sentence_encoder.${name}`,
        data: name === "lm_head.weight" ? data.map((x) => x ^ 1) : data,
      })),
    );
    const { folder, left } = await converted(file);
    const ours = await openCheckpointTensors(folder);
    expect(ours.entries.has("lm_head.decoder.weight")).toBe(true);
    expect(left).toEqual([]);
    await ours.close();
  });
});

describe("TensorFlow BERT", () => {
  const sources: readonly (readonly [string, string, ConvertOptions])[] = [
    ["tf1", "bert_config.json", {}],
    ["tf1/bert_model.ckpt.index", "bert_config.json", {}],
    ["tf1/bert_model.ckpt", "bert_config.json", {}],
    ["bert-tf.npz", "made from shapes", { heads: 3 }],
    ["bert-tf-z.npz", "made from shapes", { heads: 3 }],
  ];
  for (const [input, origin, options] of sources) {
    it(`in ${input} becomes BertForPreTraining`, async () => {
      const { folder, naming, config, left } = await converted(join(golden, input), options);
      await same(folder, "bert-hf.safetensors");
      expect([naming, config]).toEqual(["tf-bert", origin]);
      expect(left.map(({ name, why }) => `${name}: ${why}`).sort()).toEqual(
        input.startsWith("tf1")
          ? [
              "bert/pooler/dense/kernel/adam_m: state of the optimizer",
              "bert/pooler/dense/kernel/adam_v: state of the optimizer",
              "global_step: state of the training",
            ]
          : [],
      );
      expect(JSON.parse(configOf(folder))).toMatchObject({
        model_type: "bert",
        architectures: ["BertForPreTraining"],
        hidden_size: 12,
        num_hidden_layers: 2,
        num_attention_heads: 3,
        vocab_size: 30,
        max_position_embeddings: 16,
        type_vocab_size: 2,
      });
      if (origin === "bert_config.json") expect(configOf(folder)).toContain('"attention_probs_dropout_prob": 0.0,');
    });
  }

  it("without a config asks for the heads, and refuses those that cannot be", async () => {
    await expect(converted(join(golden, "bert-tf.npz"))).rejects.toThrow(
      /bert-tf\.npz: the number of heads cannot be told from shapes\. Give it: --heads N/,
    );
    await expect(converted(join(golden, "bert-tf.npz"), { heads: 5 })).rejects.toThrow(
      "expected a number of heads that divides the width 12, got 5",
    );
  });

  it("beside another model's config is refused", async () => {
    const folder = scratch();
    for (const name of readdirSync(join(golden, "tf1"))) copyFileSync(join(golden, "tf1", name), join(folder, name));
    writeFileSync(
      join(folder, "bert_config.json"),
      readFileSync(join(folder, "bert_config.json"), "utf8").replace('"vocab_size": 30', '"vocab_size": 31'),
    );
    await expect(converted(folder)).rejects.toThrow(
      "bert_config.json, vocab_size: expected 30, as the tensors have it, got 31.",
    );
  });

  it("under the names of Keras", () => {
    const names: Readonly<Record<string, string>> = {
      "tf_bert_for_pre_training/bert/encoder/layer_._11/attention/self/query/kernel:0":
        "bert.encoder.layer.11.attention.self.query.weight",
      "tf_bert_for_pre_training/bert/embeddings/word_embeddings/weight:0": "bert.embeddings.word_embeddings.weight",
      "tf_bert_for_pre_training/bert/embeddings/position_embeddings/embeddings:0":
        "bert.embeddings.position_embeddings.weight",
      "tf_bert_for_pre_training/bert/embeddings/LayerNorm/gamma:0": "bert.embeddings.LayerNorm.weight",
      "tf_bert_for_pre_training/mlm___cls/predictions/transform/dense/kernel:0":
        "cls.predictions.transform.dense.weight",
      "tf_bert_for_pre_training/mlm___cls/predictions/bias:0": "cls.predictions.bias",
      "tf_bert_for_pre_training/nsp___cls/seq_relationship/kernel:0": "cls.seq_relationship.weight",
      output_weights: "classifier.weight",
    };
    const { renamed, unknown } = renameTensors(tensorflowBert, Object.keys(names));
    expect(Object.fromEntries(renamed.map(({ from, to }) => [from, to]))).toEqual(names);
    expect(renamed.filter(({ transpose }) => transpose).map(({ from }) => from.split("/").at(-1))).toEqual([
      "kernel:0",
      "kernel:0",
      "kernel:0",
    ]);
    expect(unknown).toEqual([]);
  });
});

describe("TensorFlow's files", () => {
  it("of tf.train.Checkpoint are read, too", async () => {
    const set = await openTensorSet(join(golden, "tf2"));
    expect([...set.entries].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["a/.ATTRIBUTES/VARIABLE_VALUE", "F32", [2]],
      ["b/.ATTRIBUTES/VARIABLE_VALUE", "I64", [2, 2]],
    ]);
    expect(set.others).toEqual(["_CHECKPOINTABLE_OBJECT_GRAPH"]);
    expect([
      ...toFloat32("F32", await set.read("a/.ATTRIBUTES/VARIABLE_VALUE")),
      ...toFloat32("I64", await set.read("b/.ATTRIBUTES/VARIABLE_VALUE")),
    ]).toEqual([1.5, -2, 1, 2, 3, 4]);
    await set.close();
  });

  it("of which any byte changed are refused, or read the same", async () => {
    const { tensors: theirs } = await readSafetensors(join(golden, "bert-hf.safetensors"));
    for (const file of ["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"]) {
      const folder = scratch();
      const bytes = readFileSync(join(golden, "tf1", file));
      for (const name of readdirSync(join(golden, "tf1"))) copyFileSync(join(golden, "tf1", name), join(folder, name));
      for (let i = 0; i < 30; i++) {
        const changed = Buffer.from(bytes);
        const at = Math.floor((i * bytes.length) / 30);
        changed[at] = (changed[at] ?? 0) ^ (1 << (i % 8));
        writeFileSync(join(folder, file), changed);
        const out = join(folder, `out-${i}`);
        const done = await convertCheckpoint(folder, out).then(
          () => true,
          (error: unknown) => (expect((error as Error).message).toContain("bert_model.ckpt"), false),
        );
        if (!done) continue;
        const { tensors } = await readSafetensors(join(out, "model.safetensors"));
        for (const [name, { data }] of theirs)
          expect(Buffer.compare(tensors.get(name)?.data ?? Buffer.alloc(0), data), `${file} ${at} ${name}`).toBe(0);
      }
    }
  });

  it("cut off or incomplete are refused", async () => {
    const folder = scratch();
    const index = readFileSync(join(golden, "tf1/bert_model.ckpt.index"));
    writeFileSync(join(folder, "a.index"), index.subarray(0, 100));
    await expect(converted(join(folder, "a.index"))).rejects.toThrow(
      "a.index: expected a sorted table, which ends in its magic number, got other bytes.",
    );
    writeFileSync(join(folder, "b.index"), index);
    await expect(converted(join(folder, "b.index"))).rejects.toThrow(
      "b.data-00000-of-00001: expected this file beside the index, got none.",
    );
    writeFileSync(join(folder, "b.data-00000-of-00001"), "");
    await expect(converted(join(folder, "b.index"), { heads: 3 })).rejects.toThrow("It is cut off: fetch it again.");
  });
});

describe("NumPy's archives", () => {
  it("of which any byte changed are refused, or read the same", async () => {
    const { tensors: theirs } = await readSafetensors(join(golden, "bert-hf.safetensors"));
    for (const file of ["bert-tf.npz", "bert-tf-z.npz"]) {
      const folder = scratch();
      const bytes = readFileSync(join(golden, file));
      let refused = 0;
      for (let i = 0; i < 32; i++) {
        const changed = Buffer.from(bytes);
        const at = i < 16 ? Math.floor((i * bytes.length) / 16) : bytes.length - 1 - 97 * (i - 16);
        changed[at] = (changed[at] ?? 0) ^ (1 << (i % 8));
        writeFileSync(join(folder, "a.npz"), changed);
        const out = join(folder, `out-${i}`);
        const done = await convertCheckpoint(join(folder, "a.npz"), out, { heads: 3 }).then(
          () => true,
          () => false,
        );
        if (!done) {
          refused++;
          continue;
        }
        const { tensors } = await readSafetensors(join(out, "model.safetensors"));
        for (const [name, { data }] of theirs)
          expect(Buffer.compare(tensors.get(name)?.data ?? Buffer.alloc(0), data), `${file} ${at} ${name}`).toBe(0);
      }
      expect(refused).toBeGreaterThan(12);
    }
  });
});

describe("any checkpoint", () => {
  const spec = (name: string, values: readonly number[]): TensorSource => ({
    name,
    dtype: "F32",
    shape: [values.length],
    data: fromFloat32("F32", Float32Array.from(values)),
  });
  const write = async (...tensors: readonly TensorSource[]): Promise<string> => {
    const folder = scratch();
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "config.json"),
      '{ "model_type": "bert", "rope_theta": 10000.0, "torch_dtype": "float32" }',
    );
    writeFileSync(join(folder, "vocab.txt"), "[PAD]\n");
    await writeSafetensors(join(folder, "model.safetensors"), tensors);
    return folder;
  };

  it("in another dtype and in shards: config, tokenizer and integers stay", async () => {
    const input = await write(
      spec("bert.embeddings.LayerNorm.gamma", [1, 2.00390625]),
      spec("bert.embeddings.LayerNorm.beta", [0.1, -3e5]),
      { name: "bert.embeddings.position_ids", dtype: "I64", shape: [1], data: new Uint8Array(8) },
    );
    const { folder, naming, files } = await converted(input, { dtype: "BF16", maxShardBytes: 8 });
    expect([naming, files]).toEqual([
      "hugging-face",
      [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "vocab.txt",
      ],
    ]);
    expect(configOf(folder)).toBe(
      '{\n  "model_type": "bert",\n  "rope_theta": 10000.0,\n  "torch_dtype": "bfloat16"\n}\n',
    );
    const ours = await openCheckpointTensors(folder);
    expect([...ours.entries].map(([name, { dtype }]) => `${name} ${dtype}`).sort()).toEqual([
      "bert.embeddings.LayerNorm.bias BF16",
      "bert.embeddings.LayerNorm.weight BF16",
      "bert.embeddings.position_ids I64",
    ]);
    expect([...toFloat32("BF16", await ours.read("bert.embeddings.LayerNorm.weight"))]).toEqual([1, 2]);
    await ours.close();
  });

  it("that f16 does not hold is refused", async () => {
    await expect(converted(await write(spec("a", [1, 70_000])), { dtype: "F16" })).rejects.toThrow(
      'tensor "a": expected numbers that F16 holds, got 70000 at element 1. Use bf16, which has the range of f32.',
    );
  });

  it("with unknown names is refused, and listed where they are left out", async () => {
    const { tensors } = await readSafetensors(join(golden, "fair-esm.safetensors"));
    const file = join(scratch(), "a.safetensors");
    await writeSafetensors(file, [...tensors.values(), spec("layers.0.adapter", [1]), spec("version", [3])]);
    await expect(converted(file)).rejects.toThrow(
      "expected names of fair-esm, got 1 others: layers.0.adapter. Leave them out with --leave-unknown",
    );
    expect((await converted(file, { leaveUnknown: true })).left.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      "version: fairseq's version mark",
      "lm_head.weight: a copy of embed_tokens.weight",
      "layers.0.adapter: unknown",
    ]);
  });

  it("in which two names become one is refused", () => {
    expect(() => renameTensors(huggingFace, ["a.LayerNorm.gamma", "a.LayerNorm.weight"])).toThrow(
      'tensor "a.LayerNorm.weight": expected a name of its own, got "a.LayerNorm.weight", which ' +
        '"a.LayerNorm.gamma" becomes, too.',
    );
  });

  it("is known by its names", () => {
    expect(
      [
        ["encoder.sentence_encoder.layers.3.self_attn.q_proj.weight"],
        ["bert/embeddings/word_embeddings"],
        ["bert.embeddings.word_embeddings.weight"],
        ["what"],
      ].map((names) => namingOf(namings, names).name),
    ).toEqual(["fair-esm", "tf-bert", "hugging-face", "hugging-face"]);
    expect(fairEsm.rules.length).toBeGreaterThan(10);
  });

  it("in a pickle or HDF5 is refused with the way to convert it", async () => {
    const folder = scratch();
    writeFileSync(join(folder, "esm2_t6.pt"), "x");
    await expect(converted(folder)).rejects.toThrow(
      /expected tensors, got esm2_t6\.pt, a pickle, which can run code when it is read\. Convert it once in Python: python -c "import torch, safetensors\.torch/,
    );
    writeFileSync(join(folder, "tf_model.h5"), "x");
    await expect(converted(join(folder, "tf_model.h5"))).rejects.toThrow("tf_model.h5, HDF5. Convert it in Python");
    await expect(converted(join(folder, "nothing"))).rejects.toThrow("expected a checkpoint, found nothing there");
  });
});
