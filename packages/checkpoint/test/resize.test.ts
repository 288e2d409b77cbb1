// Rows move with their tokens, bit for bit. New tokens are average tokens, the same for the same seed. Tied tables stay
// tied.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fromFloat32, matchVocabulary, resizeRows, toFloat32 } from "../src/index.ts";
import {
  openCheckpointTensors,
  resizeCheckpoint,
  writeSafetensors,
  type ResizeOptions,
  type TensorSource,
} from "../src/node.ts";
import { scratch, seeded } from "./scratch.ts";

const before = ["[PAD]", "[UNK]", "[MASK]", "a", "b", "c"];
const after = ["<pad>", "a", "new", "<mask>", "c", "newer", "[UNK]"];
const same = new Map([
  ["<pad>", "[PAD]"],
  ["<mask>", "[MASK]"],
]);

describe("matchVocabulary", () => {
  it("by text, and by role where that differs", () => {
    expect(matchVocabulary(before, after, same)).toEqual({
      rows: Int32Array.from([0, 3, -1, 2, 5, -1, 1]),
      kept: 5,
      added: ["new", "newer"],
      dropped: ["b"],
    });
    expect(matchVocabulary(before, before)).toMatchObject({
      rows: Int32Array.from([0, 1, 2, 3, 4, 5]),
      added: [],
      dropped: [],
    });
    expect(() => matchVocabulary(before, ["a", "a"])).toThrow(
      'new vocabulary: expected each token once, got "a" twice.',
    );
  });
});

describe("resizeRows", () => {
  const draw = seeded(7);
  const columns = 64;
  const old = 2000;
  const values = Float32Array.from(
    { length: old * columns },
    (_, i) => (i % columns) / 10 + (1 + (i % 3)) * (draw.below(2001) / 1000 - 1),
  );
  const change = { rows: Int32Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? i / 2 : -1)) };
  const out = resizeRows(values, columns, change, 3);

  it("keeps rows of old, and draws new ones about their mean", () => {
    for (let row = 0; row < 4000; row += 2)
      expect(out.subarray(row * columns, (row + 1) * columns)).toEqual(
        values.subarray((row / 2) * columns, (row / 2 + 1) * columns),
      );
    for (const c of [0, 13, 63]) {
      const fresh = Array.from({ length: 2000 }, (_, i) => out[(2 * i + 1) * columns + c] ?? 0);
      const theirs = Array.from({ length: old }, (_, i) => values[i * columns + c] ?? 0);
      const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b) / x.length;
      const deviation = (x: readonly number[]): number => Math.sqrt(mean(x.map((y) => (y - mean(x)) ** 2)));
      expect(Math.abs(mean(fresh) - mean(theirs))).toBeLessThan((5 * 0.1 * deviation(theirs)) / Math.sqrt(2000));
      expect(deviation(fresh) / deviation(theirs)).toBeCloseTo(0.1, 2);
    }
  });

  it("the same for the same seed and row, whatever else there is", () => {
    expect(resizeRows(values, columns, change, 3)).toEqual(out);
    expect(resizeRows(values, columns, { rows: Int32Array.from([5, -1]) }, 3).subarray(columns)).toEqual(
      out.subarray(columns, 2 * columns),
    );
    expect(resizeRows(values, columns, change, 4)).not.toEqual(out);
  });

  it("is a vector's, too", () => {
    const bias = resizeRows(Float32Array.from([1, 2, 3]), 1, { rows: Int32Array.from([2, -1]) }, 0);
    expect([bias[0], Math.abs((bias[1] ?? 0) - 2) < 0.5]).toEqual([3, true]);
    expect(() => resizeRows(Float32Array.from([1, 2]), 1, { rows: Int32Array.from([7]) }, 0)).toThrow(
      "got 2 rows for the token 7",
    );
  });
});

describe("resizeCheckpoint", () => {
  const options: ResizeOptions = {
    before,
    after,
    same,
    seed: 1,
    ids: { pad_token_id: 0, mask_token_id: 3 },
    tokenizerFiles: { "vocab.txt": "<pad>\n" },
  };
  const table = Float32Array.from({ length: 12 }, (_, i) => i);
  const tensor = (
    name: string,
    shape: readonly number[],
    data: Float32Array,
    dtype: "F32" | "BF16" = "F32",
  ): TensorSource => ({ name, dtype, shape, data: fromFloat32(dtype, data) });

  async function folder(
    tensors: readonly TensorSource[],
    config: string = '{ "model_type": "bert", "vocab_size": 6, "pad_token_id": 5, "hidden_dropout_prob": 0.0 }',
  ): Promise<string> {
    const dir = scratch();
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "config.json"), config);
    await writeSafetensors(join(dir, "model.safetensors"), tensors);
    return dir;
  }

  it("moves every table of the vocabulary, and nothing else", async () => {
    const bias = Float32Array.from([0, 1, 2, 3, 4, 5]);
    const input = await folder([
      tensor("bert.embeddings.word_embeddings.weight", [6, 2], table),
      tensor("cls.predictions.decoder.weight", [6, 2], table),
      tensor("cls.predictions.bias", [6], bias, "BF16"),
      tensor("bert.embeddings.position_embeddings.weight", [6, 2], table),
    ]);
    const output = join(scratch(), "out");
    const done = await resizeCheckpoint(input, output, options);
    expect(done).toMatchObject({
      kept: 5,
      added: ["new", "newer"],
      dropped: ["b"],
      files: ["config.json", "model.safetensors", "vocab.txt"],
    });
    expect(done.tensors.map(({ name, to }) => `${name} ${to.join("x")}`).sort()).toEqual([
      "bert.embeddings.word_embeddings.weight 7x2",
      "cls.predictions.bias 7",
      "cls.predictions.decoder.weight 7x2",
    ]);
    expect(readFileSync(join(output, "config.json"), "utf8")).toBe(
      '{\n  "model_type": "bert",\n  "vocab_size": 7,\n  "pad_token_id": 0,\n  "hidden_dropout_prob": 0.0\n}\n',
    );
    const set = await openCheckpointTensors(output);
    const words = toFloat32("F32", await set.read("bert.embeddings.word_embeddings.weight"));
    const change = matchVocabulary(before, after, same);
    expect(words).toEqual(resizeRows(table, 2, change, 1));
    expect([...words.subarray(0, 4), ...words.subarray(6, 8)]).toEqual([0, 1, 6, 7, 4, 5]);
    expect(toFloat32("F32", await set.read("cls.predictions.decoder.weight"))).toEqual(words); // still tied
    expect(
      [...toFloat32("BF16", await set.read("cls.predictions.bias"))].filter((_, i) => change.rows[i] !== -1),
    ).toEqual([0, 3, 2, 5, 1]);
    expect(toFloat32("F32", await set.read("bert.embeddings.position_embeddings.weight"))).toEqual(table);
    await set.close();
  });

  it("refuses what does not belong together", async () => {
    const words = tensor("bert.embeddings.word_embeddings.weight", [6, 2], table);
    const out = join(scratch(), "out");
    await expect(resizeCheckpoint(await folder([words], '{ "vocab_size": 7 }'), out, options)).rejects.toThrow(
      'tensor "bert.embeddings.word_embeddings.weight": expected f32, f16 or bf16 with a row for each of the 7 ' +
        "tokens of config.json, of which the tokenizer names 6, got F32 [6, 2].",
    );
    await expect(
      resizeCheckpoint(await folder([words]), out, { ...options, before: [...before, "d"] }),
    ).rejects.toThrow("of which the tokenizer names 7");
    await expect(resizeCheckpoint(await folder([tensor("w", [6], table.slice(0, 6))]), out, options)).rejects.toThrow(
      "expected word embeddings of a BERT or ESM-2, got none",
    );
  });
});
