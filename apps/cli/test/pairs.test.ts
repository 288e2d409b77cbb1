/**
 * `pretrain --objective mlm+nsp` on text: from documents of sentences to a BERT for pretraining. The run is resumed,
 * and `evaluate` gives the figures of the run's own evaluation.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readMetrics, withoutTime } from "@cloze/trainer";
import { beforeAll, describe, expect, test } from "vitest";
import { cli, type Ran } from "./run-cli.ts";

const { dir, run, write } = cli();
const settings = [
  "--model",
  "bert.json",
  "--tokenizer",
  "words",
  "--data",
  "docs.txt",
  "--valid",
  "0.3",
  "--batch-tokens",
  "192",
  "--max-length",
  "48",
  "--backend",
  "reference",
  "--lr",
  "0.01",
  "--eval-every",
  "4",
  "--save-every",
  "4",
];
const pretrain = (objective: string, ...more: string[]): Promise<Ran> =>
  run("pretrain", "--objective", objective, ...settings, "--json", ...more);
const rows = (name: string): string[] => readMetrics(join(dir, name, "metrics.jsonl")).rows.map(withoutTime);

beforeAll(() => {
  const letters = [..."abcdefghij"];
  const words = letters.flatMap((a) => ["o", "u"].map((b) => `${a}${b}n`));
  // Each document has only words that begin with one letter.
  const documents = Array.from({ length: 24 }, (_, d) =>
    Array.from({ length: 3 + (d % 4) }, (_, s) =>
      Array.from({ length: 3 + ((d + s) % 3) }, (_, w) => words[2 * (d % 10) + ((s + w) % 2)]).join(" "),
    ).join("\n"),
  );
  write("docs.txt", `${documents.join("\n\n")}\n`);
  write("one.txt", "aon aun\naon\n");
  write(
    "bert.json",
    JSON.stringify({
      model_type: "bert",
      vocab_size: 25,
      hidden_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 32,
      max_position_embeddings: 48,
      type_vocab_size: 2,
      hidden_act: "gelu",
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
      pad_token_id: 0,
      layer_norm_eps: 1e-12,
      initializer_range: 0.02,
    }),
  );
  mkdirSync(join(dir, "words"));
  write("words/vocab.txt", `${["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words].join("\n")}\n`);
});

describe("pretrain --objective mlm+nsp", () => {
  test("logs both losses, saves a model for pretraining, and resumes bit for bit", async () => {
    const { code, err, json } = await pretrain("mlm+nsp", "--steps", "8", "--out", "straight");
    expect(code, err).toBe(0);
    const said = json();
    const config = JSON.parse(readFileSync(join(said["checkpoint"] as string, "config.json"), "utf8")) as {
      readonly architectures: readonly string[];
    };
    expect(config.architectures).toEqual(["BertForPreTraining"]);
    expect(said).toMatchObject({
      steps: 8,
      "nsp.accuracy": expect.any(Number) as number,
      "nsp.loss": expect.any(Number) as number,
    });
    const [first] = readMetrics(join(dir, "straight", "metrics.jsonl")).rows;
    expect(first?.loss).toBeCloseTo(Number(first?.["mlm.loss"]) + Number(first?.["nsp.loss"]), 5);

    expect((await pretrain("mlm+nsp", "--steps", "4", "--schedule", "constant", "--out", "broken")).code).toBe(0);
    expect((await pretrain("mlm+nsp", "--steps", "8", "--schedule", "constant", "--out", "whole")).code).toBe(0);
    expect((await run("pretrain", "--resume", "broken", "--steps", "8", "--json")).code).toBe(0);
    expect(rows("broken")).toEqual(rows("whole"));

    const judged = await run(
      "evaluate",
      "--checkpoint",
      "straight",
      "--data",
      "docs.txt",
      "--split",
      "valid",
      "--valid",
      "0.3",
      "--objective",
      "mlm+nsp",
      "--max-length",
      "48",
      "--backend",
      "reference",
      "--json",
    );
    expect(judged.code, judged.err).toBe(0);
    expect(judged.json()["loss"]).toBeCloseTo(said["evalLoss"] as number, 5);
    expect(judged.json()["nsp.loss"]).toBeCloseTo(said["nsp.loss"] as number, 5);
  });

  test("nsp alone and mlm+sop train too, each with its head", async () => {
    for (const [objective, architecture] of [
      ["nsp", "BertForNextSentencePrediction"],
      ["mlm+sop", "BertForPreTraining"],
    ] as const) {
      const { code, err, json } = await pretrain(objective, "--steps", "2", "--out", objective);
      expect(code, err).toBe(0);
      expect(readFileSync(join(json()["checkpoint"] as string, "config.json"), "utf8")).toContain(architecture);
    }
  });

  test.each<[string, string[], RegExp]>([
    [
      "a model without a head for pairs",
      ["--model", "esm2-8m"],
      /^cloze: objective mlm\+nsp: expected a model with masked-lm\+sentence-pair, got esm2-8m, which has no relate\. Choose/,
    ],
    [
      "one document",
      ["--data", "one.txt", "--valid", "0"],
      /expected at least two documents, for a random text is one of another document, got 1\. Separate documents by blank lines\./,
    ],
    [
      "too few documents held out",
      ["--valid", "0.02"],
      /too few to hold out|expected at least two documents to evaluate on/,
    ],
    [
      "options without a part's name",
      ["--objective-options", '{"rate":0.2}'],
      /expected the options of mlm\+nsp under their names, mlm, nsp, factors, got "rate"/,
    ],
  ])("refuses %s", async (_, more, message) => {
    const { code, err } = await run(
      "pretrain",
      "--objective",
      "mlm+nsp",
      ...replaced(settings, more),
      "--steps",
      "1",
      "--out",
      "refused",
    );
    expect(err.split("\n").find((line) => line.startsWith("cloze: "))).toMatch(message);
    expect(code).toBe(2);
  });

  test("a checkpoint without the head is not evaluated for it", async () => {
    expect((await pretrain("mlm", "--steps", "1", "--out", "masked")).code).toBe(0);
    const { code, err } = await run(
      "evaluate",
      "--checkpoint",
      "masked",
      "--data",
      "docs.txt",
      "--objective",
      "mlm+nsp",
      "--backend",
      "reference",
    );
    expect(code).toBe(2);
    expect(err).toMatch(
      /masked: expected the weights of a model with masked-lm\+sentence-pair, which --objective mlm\+nsp needs, got those of masked-lm/,
    );
  });
});

/** The words of the settings, with other values for some flags. */
function replaced(words: readonly string[], more: readonly string[]): string[] {
  const given = new Set(more.filter((word) => word.startsWith("--")));
  return [...words.filter((word, i) => !given.has(word) && !given.has(words[i - 1] ?? "")), ...more];
}
