// embed, fill-mask and logits on a tiny BERT with random weights and a vocabulary of word pieces.
import { join } from "node:path";
import { backend } from "@cloze/backend-reference";
import { readSafetensors } from "@cloze/checkpoint/node";
import { toFloat32 } from "@cloze/checkpoint";
import { createEncoder, type SequenceEncoder } from "@cloze/inference";
import { headParameters, openModel, type Head } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { bpe } from "@cloze/tokenizer-bpe";
import { WordCounter, trainMerges } from "@cloze/tokenizer-bpe/train";
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { saveCheckpoint } from "@cloze/trainer";
import { beforeAll, describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const words = [
  "the",
  "cat",
  "sat",
  "on",
  "a",
  "mat",
  "dog",
  "ran",
  "home",
  "where",
  "did",
  "it",
  "go",
  "?",
  ".",
  "##s",
  "##ing",
];
const tokenizer = wordPiece({ vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words] });
const opened = await openModel({
  model_type: "bert",
  vocab_size: tokenizer.vocabulary.length,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 16,
  initializer_range: 0.3,
});
const weightsOf = (head: Head): ReturnType<typeof initialize> => initialize(headParameters(opened.model, head, 2), 5);
const weights = weightsOf("masked-lm+sentence-pair");

async function checkpoint(name: string, head: Head): Promise<void> {
  const { model, buffers, maxLength, extraParameters } = opened;
  await saveCheckpoint(join(dir, name), {
    source: { name, model, buffers, maxLength, extraParameters, configText: opened.configText({ head }) },
    weights: weightsOf(head),
    tokenizerFiles: tokenizer.files(),
  });
}
beforeAll(() =>
  Promise.all([checkpoint("model", "masked-lm+sentence-pair"), checkpoint("classifier", "sequence-classification")]),
);
const reference = ["--checkpoint", "model", "--backend", "reference"];

async function direct<T>(use: (encoder: SequenceEncoder) => AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const each of use(await createEncoder({ backend: backend(), model: opened.model, weights, tokenizer })))
    list.push(each);
  return list;
}

async function close(file: string, name: string, expected: readonly number[]): Promise<void> {
  const found = (await readSafetensors(join(dir, file))).tensors.get(name);
  if (found === undefined) throw new Error(`${file} has no tensor ${name}`);
  const ours = toFloat32(found.dtype, found.data);
  expect(ours.length).toBe(expected.length);
  ours.forEach((x, i) => expect(Math.abs(x - (expected[i] as number))).toBeLessThan(1e-5));
}

async function mistake(argv: readonly string[], text: string): Promise<void> {
  const ran = await run(...argv);
  expect(ran).toMatchObject({ code: 2, out: "" });
  expect(ran.err.trimEnd().split("\n").at(-1)).toMatch(/^cloze: /);
  expect(ran.err).toContain(text);
}

const texts = ["The cat sat on a mat.", "dogs ran", "where did it go?"];

describe("embed", () => {
  test("a line of text, a row of a table", async () => {
    const expected = (await direct((encoder) => encoder.embed(texts, { special: true, normalize: true }))).flatMap(
      ({ vectors }) => Array.from(vectors.data),
    );
    const files = [
      write("t.txt", `${texts.join("\n\n")}\n`),
      write("t.csv", `id,said\n${texts.map((text, i) => `${i},${JSON.stringify(text)}`).join("\n")}\n`),
      write("t.jsonl", texts.map((said) => `${JSON.stringify({ said })}\n`).join("")),
    ];
    for (const file of files) {
      const ran = await run(
        "embed",
        file,
        ...reference,
        "--out",
        "e.safetensors",
        "--special",
        "--normalize",
        ...(file === "t.txt" ? [] : ["--field", "said"]),
        "--json",
      );
      expect(ran.json()).toMatchObject({ sequences: 3, residues: 15, hidden: 8, long: { maxLength: 16 } });
      await close("e.safetensors", "embeddings", expected);
    }
    const { metadata } = await readSafetensors(join(dir, "e.safetensors"));
    expect(metadata).toMatchObject({ special: "true", normalize: "true", ids: '["1","2","3"]' });
    expect((await run("embed", "t.txt", ...reference, "--out", "e.npy")).out).toContain(
      "3 sequences, 15 tokens, 8 numbers a vector",
    );
  });

  test("by the pooler", async () => {
    await run("embed", write("t.txt", texts.join("\n")), ...reference, "--out", "p.safetensors", "--pooling", "pooler");
    await close(
      "p.safetensors",
      "embeddings",
      (await direct((encoder) => encoder.embed(texts, { pooling: "pooler" }))).flatMap(({ vectors }) =>
        Array.from(vectors.data),
      ),
    );
  });

  test("mistakes", async () => {
    await mistake(
      ["embed", write("long.txt", "cat ".repeat(20)), ...reference, "--out", "x.npy", "--long", "error"],
      "embed, 1: expected at most 14 tokens, got 20",
    );
    await mistake(
      ["embed", write("t.csv", "id,said\n1,cat\n"), ...reference, "--out", "x.npy"],
      'expected a field "text" or "sequence" with the text, got "id", "said"',
    );
    await mistake(
      ["embed", "long.txt", ...reference, "--out", "x.npy", "--max-length", "17"],
      "expected at most the 16 tokens that the model takes, got 17",
    );
    await mistake(
      ["embed", write("none.txt", "\n\n"), ...reference, "--out", "x.npy"],
      "none.txt: expected at least one sequence, got none",
    );
  });
});

describe("fill-mask", () => {
  test("of bytes: tokens have their space in them", async () => {
    const counter = new WordCounter();
    counter.add(texts.join(" "));
    const bytes = bpe(trainMerges(counter.words(), { size: 270 }));
    const size = bytes.vocabulary.length;
    const { model, buffers, maxLength, extraParameters, configText } = await openModel({
      model_type: "bert",
      vocab_size: size,
      hidden_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 12,
      max_position_embeddings: 32,
      initializer_range: 0.3,
    });
    const source = {
      name: "bytes",
      model,
      buffers,
      maxLength,
      extraParameters,
      configText: configText({ head: "masked-lm" }),
    };
    await saveCheckpoint(join(dir, "bytes"), {
      source,
      weights: initialize(headParameters(model, "masked-lm", 2), 5),
      tokenizerFiles: bytes.files(),
    });
    const ran = await run(
      "fill-mask",
      "--checkpoint",
      "bytes",
      "--backend",
      "reference",
      "the cat [MASK] on [MASK].",
      "--top",
      String(size),
      "--json",
    );
    const [{ filled, masks }] = ran.json()["texts"] as [
      { filled: string; masks: { candidates: { token: string }[] }[] },
    ];
    const [first = "", second = ""] = masks.map(({ candidates }) =>
      bytes.decode([bytes.idOf(candidates[0]?.token ?? "") as number], { skipSpecial: false }),
    );
    expect(masks.map(({ candidates }) => candidates.length)).toEqual([size, size]);
    expect(filled).toBe(`${`the cat${first} on`.trimEnd()}${second}.`);
  });

  test("puts the best token into the text", async () => {
    const ran = await run("fill-mask", ...reference, "the cats [MASK] on a [MASK].", "--top", "2", "--json");
    const [{ filled, masks }] = ran.json()["texts"] as [
      { filled: string; masks: { position: number; candidates: { token: string }[] }[] },
    ];
    expect(masks.map(({ position }) => position)).toEqual([4, 7]);
    const [first = "", second = ""] = masks.map(({ candidates }) => candidates[0]?.token ?? "");
    const goesOn = (token: string, before: string): string =>
      token.startsWith("##") ? before.trimEnd() + token.slice(2) : before + token;
    expect(filled).toBe(`${goesOn(second, `${goesOn(first, "the cats ")} on a `)}.`);
  });

  test("needs the head", async () => {
    await mistake(
      ["fill-mask", "--checkpoint", "classifier", "--backend", "reference", "the [MASK]"],
      'expected the parameter "cls.predictions.transform.dense.weight", got none',
    );
  });
});

describe("logits", () => {
  const pair = tokenizer.encode("where did it go?", { pair: "home." });
  const ids = [Array.from(pair.ids), [2, 5, 3]];
  const types = [Array.from(pair.types), [0, 0, 0]];

  test("of pairs, by their types", async () => {
    write("ids.json", JSON.stringify(ids));
    write("types.json", JSON.stringify(types));
    const ran = await run(
      "logits",
      ...reference,
      "--ids",
      "ids.json",
      "--types",
      "types.json",
      "--out",
      "l.safetensors",
      "--hidden-states",
      "--json",
    );
    expect(ran.json()).toMatchObject({ rows: 2, longest: 10, tokens: 13 });
    const [first] = await direct((encoder) =>
      encoder.logits([{ ids: ids[0] as number[], types: types[0] as number[] }]),
    );
    const vocab = tokenizer.vocabulary.length;
    const found = (await readSafetensors(join(dir, "l.safetensors"))).tensors.get("logits");
    const ours = found === undefined ? [] : Array.from(toFloat32(found.dtype, found.data)).slice(0, 10 * vocab);
    ours.forEach((x, i) => expect(Math.abs(x - (first?.data[i] as number))).toBeLessThan(1e-5));
    expect(ours.length).toBe(10 * vocab);
  });

  test("of a checkpoint without a masked-token head there are none, but its inside", async () => {
    const classifier = [
      "logits",
      "--checkpoint",
      "classifier",
      "--backend",
      "reference",
      "--ids",
      write("ids.json", JSON.stringify(ids)),
      "--out",
      "c.safetensors",
    ];
    await mistake(
      classifier,
      "expected a masked-token head, got a checkpoint without one, which has no logits. Ask for --hidden-states " +
        "or --attentions",
    );
    expect(await run(...classifier, "--hidden-states")).toMatchObject({ code: 0 });
    expect([...(await readSafetensors(join(dir, "c.safetensors"))).tensors.keys()].sort()).toEqual([
      "hidden_states.0",
      "hidden_states.1",
      "hidden_states.2",
      "lengths",
    ]);
  });

  test("mistakes", async () => {
    const typed = (json: string): string[] => [
      "logits",
      ...reference,
      "--ids",
      write("ids.json", JSON.stringify(ids)),
      "--types",
      write("types.json", json),
      "--out",
      "x.safetensors",
    ];
    await mistake(typed("[[0, 2], [0, 0, 0]]"), "types.json, [0][1]: expected a token type from 0 to 1, got 2");
    await mistake(typed("[[0, 0], [0, 0, 0]]"), "types.json, [0]: expected 10 token types, as many as ids, got 2");
    await mistake(typed("[[0]]"), "types.json: expected 2 lists, as many as ids, got 1");
    await mistake(
      [
        "logits",
        ...reference,
        "--ids",
        write("ids.json", JSON.stringify([new Array<number>(17).fill(5)])),
        "--out",
        "x.safetensors",
      ],
      "expected at most the 16 tokens that the model takes, got 17",
    );
  });
});
