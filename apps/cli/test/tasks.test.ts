// finetune, predict and evaluate of tasks on a tiny BERT and generated texts, and the messages about mistakes.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { backend } from "@cloze/backend-reference";
import { headParameters, openModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { RandomStream } from "@cloze/random";
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { saveCheckpoint } from "@cloze/trainer";
import { beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../src/model-files.ts";
import { finetune, taskPipeline, textClassification } from "../src/tasks.ts";
import { cli } from "./run-cli.ts";

const { run, piped, write, dir } = cli();
const REFERENCE = ["--backend", "reference"] as const;
const FAST = [...REFERENCE, "--lr", "0.01", "--batch", "8", "--max-length", "24"] as const;

/** Expects a mistake of the user: exit code 2, nothing on stdout, and its message as the last line of stderr. */
async function mistake(argv: readonly string[], text: RegExp): Promise<void> {
  const ran = await run(...argv);
  const last = ran.err.trimEnd().split("\n").at(-1) ?? "";
  expect(ran).toMatchObject({ code: 2, out: "" });
  expect(last).toMatch(/^cloze: /);
  expect(last).toMatch(text);
}

/** Lines `the film is good TAB 1`. */
function reviews(count: number, seed: number): string {
  const stream = new RandomStream(seed).split("reviews");
  return Array.from({ length: count }, (_, i) => {
    const good = stream.below(2, 2 * i);
    const word = [
      ["bad", "poor"],
      ["good", "fine"],
    ][good]?.[stream.below(2, 2 * i + 1)];
    return `the ${i % 3 === 0 ? "film" : "plot"} is${" very".repeat(i % 4)} ${word} .\t${good}\n`;
  }).join("");
}

const tagged = Array.from(
  { length: 24 },
  (_, i) => `${["ann", "bob"][i % 2]}\tB-PER\nis\tO\nin\tO\n${["rome", "oslo"][(i >> 1) % 2]}\tB-LOC\n`,
).join("\n");

beforeAll(async () => {
  const tokenizer = wordPiece({
    vocabulary: [
      "[PAD]",
      "[UNK]",
      "[CLS]",
      "[SEP]",
      "[MASK]",
      "the",
      "film",
      "plot",
      "is",
      "very",
      "good",
      "bad",
      "fine",
      "poor",
      ".",
      "ann",
      "bob",
      "in",
      "rome",
      "oslo",
      "where",
      "?",
    ],
  });
  const opened = await openModel({
    model_type: "bert",
    vocab_size: 22,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 32,
    max_position_embeddings: 64,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.2,
  });
  await saveCheckpoint(join(dir, "base"), {
    source: { name: "base", model: opened.model, configText: opened.configText(), buffers: {}, maxLength: 64 },
    weights: initialize(headParameters(opened.model, "masked-lm", 2), 1),
    tokenizerFiles: tokenizer.files(),
  });
  write("train.tsv", reviews(48, 1));
  write("dev.tsv", reviews(16, 2));
  write("train.conll", tagged);
  mkdirSync(join(dir, "sub"));
});

describe("finetune, predict, evaluate", () => {
  test("sentiment, three seeds: figures with mean and deviation, a model in each folder", async () => {
    const ran = await run(
      "finetune",
      "--task",
      "text-classification",
      "--from",
      "base",
      "--data",
      "train.tsv",
      "--valid",
      "dev.tsv",
      "--epochs",
      "8",
      "--seeds",
      "3",
      "--out",
      "runs/seeds",
      ...FAST,
    );
    expect(ran.code, ran.err).toBe(0);
    expect(ran.err).toContain("48 examples to train on, 16 to evaluate on; on the CPU, the interpreter (reference)");
    expect(ran.out).toMatch(/seed 0 +seed 1 +seed 2 +mean +deviation\n/);
    const summary = JSON.parse(readFileSync(join(dir, "runs/seeds/summary.json"), "utf8")) as {
      figures: { accuracy: number };
      deviation: { accuracy: number };
      seeds: { figures: { accuracy: number } }[];
    };
    const scores = summary.seeds.map(({ figures }) => figures.accuracy);
    const mean = (scores[0]! + scores[1]! + scores[2]!) / 3;
    expect(mean).toBeGreaterThan(0.8);
    expect(summary.figures.accuracy).toBeCloseTo(mean, 12);
    const report = readFileSync(join(dir, "runs/seeds/seed-1/report.html"), "utf8");
    expect(report).toContain("<title>base · text-classification</title>");
    expect(report).toContain(`<th scope="row">accuracy</th><td>${(scores[1] as number).toFixed(4)}</td>`);
    expect(report).toContain("Nats per answer, by step");
    expect(summary.deviation.accuracy).toBeCloseTo(
      Math.sqrt(scores.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2),
      12,
    );
    await mistake(
      ["predict", "--checkpoint", "runs/seeds", "--data", "dev.tsv", "--out", "x.csv"],
      /expected one model, got a run of several seeds.*seed-0/,
    );
    const evaluated = await run(
      "evaluate",
      "--checkpoint",
      "runs/seeds/seed-1",
      "--data",
      "dev.tsv",
      "--json",
      ...REFERENCE,
    );
    expect(evaluated.json()).toMatchObject({
      task: "text-classification",
      examples: 16,
      ...summary.seeds[1]?.figures,
      labels: { 1: { support: expect.any(Number) as number } },
    });
    const table = await run("evaluate", "--checkpoint", "runs/seeds/seed-1", "--data", "dev.tsv", ...REFERENCE);
    expect(table.out).toMatch(/^loss +\d\.\d{4}\naccuracy +[^]*\n\nlabel +precision +recall +F1 +examples\n0 +[\d.]+ /);
  });

  test("predictions keep order and fields, in a pipe, as CSV, as TSV", async () => {
    const model = ["--checkpoint", "runs/seeds/seed-0", ...REFERENCE, "--batch-tokens", "64"];
    const texts = Array.from({ length: 30 }, (_, i) => ({
      id: i,
      text: `the plot is${" very".repeat(i % 9)} ${i % 2 === 0 ? "good" : "bad"}`,
    }));
    const streamed = await piped(texts.map((each) => JSON.stringify(each)).join("\n"), "predict", ...model);
    const lines = streamed.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: number; text: string; prediction: { label: string } });
    expect(streamed.code, streamed.err).toBe(0);
    expect(lines.map(({ id, text }) => ({ id, text }))).toEqual(texts);
    expect(
      lines.filter(({ prediction }, i) => prediction.label === (i % 2 === 0 ? "1" : "0")).length,
    ).toBeGreaterThanOrEqual(24);
    write("texts.csv", 'text,note\n"the film, is good",a\nthe film is bad,"b ""c"""\n');
    expect(
      (await run("predict", ...model, "--data", "texts.csv", "--out", "sub/out.csv", "--json")).json(),
    ).toMatchObject({ predictions: 2, out: "sub/out.csv" });
    const rows = readFileSync(join(dir, "sub/out.csv"), "utf8").trimEnd().split("\n");
    expect(rows[0]).toBe("text,note,predicted_label,predicted_score");
    expect(rows[1]).toMatch(/^"the film, is good",a,[01],0\.\d+$/);
    expect(rows[2]).toMatch(/^the film is bad,"b ""c""",[01],0\.\d+$/);
    expect(
      (await piped("the film is good\n", "predict", ...model, "--format", "tsv", "--columns", "text")).out,
    ).toMatch(/^\{"text":"the film is good","prediction":\{"label":"[01]"/);
  });

  test("an interrupted run goes on, and refuses other options", async () => {
    const done = await run(
      "finetune",
      "--task",
      "token-classification",
      "--from",
      "base",
      "--data",
      "train.conll",
      "--valid",
      "train.conll",
      "--epochs",
      "8",
      "--out",
      "runs/ner",
      "--json",
      ...FAST,
    );
    expect(done.code, done.err).toBe(0);
    expect(done.json()).toMatchObject({ task: "token-classification", figures: { f1: 1 } });
    const again = await run("finetune", "--resume", "runs/ner", "--json");
    expect(again.code, again.err).toBe(0);
    expect(again.json()["figures"]).toEqual(done.json()["figures"]);
    await mistake(
      ["finetune", "--resume", "runs/ner", "--lr", "1"],
      /--resume: the run was made with --lr 0\.01, this says 1/,
    );
    await mistake(
      ["finetune", "--task", "token-classification", "--from", "base", "--data", "train.conll", "--out", "runs/ner"],
      /expected a folder without a run, got one/,
    );
    const said = await piped('{"text": "Ann is in Oslo."}\n', "predict", "--checkpoint", "runs/ner", ...REFERENCE);
    expect(JSON.parse(said.out)).toMatchObject({
      text: "Ann is in Oslo.",
      prediction: {
        entities: [
          { type: "PER", text: "Ann", start: 0, end: 3 },
          { type: "LOC", text: "Oslo", start: 10, end: 14 },
        ],
      },
    });
  });

  test(
    "keys of the checkpoint's config.json change with --model-options: a run with dropout is another, and its " +
      "checkpoint says so",
    async () => {
      const dropped = async (rate: number): Promise<{ readonly loss: unknown; readonly config: unknown }> => {
        const place = `runs/dropout-${rate}`;
        const ran = await run(
          "finetune",
          "--task",
          "text-classification",
          "--from",
          "base",
          "--data",
          "train.tsv",
          "--valid",
          "dev.tsv",
          "--metric",
          "mcc",
          "--epochs",
          "0.5",
          "--out",
          place,
          "--model-options",
          JSON.stringify({ hidden_dropout_prob: rate }),
          ...FAST,
        );
        expect(ran.code, ran.err).toBe(0);
        const [first = "{}"] = readFileSync(join(dir, place, "metrics.jsonl"), "utf8").split("\n");
        const { loss } = JSON.parse(first) as { readonly loss: unknown };
        return { loss, config: JSON.parse(readFileSync(join(dir, place, "model/config.json"), "utf8")) };
      };
      const none = await dropped(0);
      const half = await dropped(0.5);
      expect(half.config).toMatchObject({ hidden_dropout_prob: 0.5 });
      expect(none.config).toMatchObject({ hidden_dropout_prob: 0 });
      expect(half.loss).not.toBe(none.loss);
      expect(readFileSync(join(dir, "runs/dropout-0/report.html"), "utf8")).toContain("<span>Best mcc</span>");
    },
  );

  test("--scratch begins anew, each seed from weights of its own", async () => {
    const start = async (...more: readonly string[]): Promise<readonly unknown[]> => {
      const place = `runs/start${more.length}`;
      const ran = await run(
        "finetune",
        "--task",
        "text-classification",
        "--from",
        "base",
        "--data",
        "train.tsv",
        "--epochs",
        "0.2",
        "--seeds",
        "2",
        "--out",
        place,
        ...more,
        ...FAST,
      );
      expect(ran.code, ran.err).toBe(0);
      expect(ran.err.includes("bert.embeddings.word_embeddings.weight")).toBe(more.length > 0);
      return Promise.all(
        [0, 1].map(async (seed) =>
          (await loadModel(join(dir, place, `seed-${seed}`, "model"))).weights[
            "bert.embeddings.position_embeddings.weight"
          ]?.data.at(-1),
        ),
      );
    };
    const from = (await loadModel(join(dir, "base"))).weights["bert.embeddings.position_embeddings.weight"]?.data.at(
      -1,
    );
    const [a, b] = await start("--scratch");
    // No row is long enough to reach this position, so its weights change by the decay only.
    expect(await start()).toEqual([expect.closeTo(Number(from), 3), expect.closeTo(Number(from), 3)]);
    expect(Math.abs(Number(a) - Number(b))).toBeGreaterThan(1e-3);
    expect(Math.abs(Number(a) - Number(from))).toBeGreaterThan(1e-3);
  });

  test("questions: the JSON of SQuAD in, answers by id out", async () => {
    const paragraphs = Array.from({ length: 16 }, (_, i) => {
      const where = ["rome", "oslo"][i % 2] as string;
      const context = `${["ann", "bob"][(i >> 1) % 2]} is in ${where} .`;
      return {
        context,
        qas: [{ id: `q${i}`, question: "where ?", answers: [{ text: where, answer_start: context.indexOf(where) }] }],
      };
    });
    write("squad.json", JSON.stringify({ version: "1.1", data: [{ title: "t", paragraphs }] }));
    const done = await run(
      "finetune",
      "--task",
      "question-answering",
      "--from",
      "base",
      "--data",
      "squad.json",
      "--valid",
      "squad.json",
      "--epochs",
      "14",
      "--out",
      "runs/qa",
      "--json",
      ...FAST,
    );
    expect(done.json()).toMatchObject({ figures: { f1: 1, exact: 1 } });
    expect(
      (await run("predict", "--checkpoint", "runs/qa", "--data", "squad.json", "--out", "answers.json", ...REFERENCE))
        .code,
    ).toBe(0);
    expect(JSON.parse(readFileSync(join(dir, "answers.json"), "utf8"))).toMatchObject({
      q0: "rome",
      q1: "oslo",
      q15: "oslo",
    });
  });
});

describe("one line for each mistake", () => {
  const start = ["finetune", "--task", "text-classification", "--from", "base"] as const;

  test.each([
    [
      "no task",
      ["finetune", "--from", "base", "--data", "train.tsv"],
      /--task is required: one of text-classification, multi-label/,
    ],
    ["no start", ["finetune", "--task", "regression", "--data", "train.tsv"], /--from is required/],
    ["no data", [...start], /--data is required/],
    ["no such folder", ["finetune", "--task", "regression", "--from", "nowhere", "--data", "train.tsv"], /nowhere/],
    [
      "an unknown metric",
      [...start, "--data", "train.tsv", "--valid", "dev.tsv", "--metric", "bleu", "--epochs", "0.1", "--out", "runs/m"],
      /expected a figure of text-classification \(loss, accuracy.*got "bleu"/,
    ],
    [
      "weights that are none",
      [...start, "--data", "train.tsv", "--class-weights", "1=x"],
      /--class-weights: expected balanced, or label=number/,
    ],
    [
      "an option of another task",
      ["finetune", "--task", "regression", "--from", "base", "--data", "train.tsv", "--no-answer"],
      /--no-answer: expected a task of question-answering, got regression/,
    ],
    [
      "patience without data to be patient about",
      [...start, "--data", "train.tsv", "--patience", "2", "--out", "runs/p"],
      /expected validation data for patience, got none/,
    ],
    [
      "mixed columns",
      [...start, "--data", "train.tsv", "--columns", "text=a,b"],
      /--columns: expected names between commas, or ours=theirs/,
    ],
    [
      "new weights that are kept",
      [...start, "--data", "train.tsv", "--scratch", "--freeze", "1"],
      /--freeze: with --scratch/,
    ],
    [
      "a key that its config.json has not",
      [...start, "--data", "train.tsv", "--model-options", '{"dropout":0.1}'],
      /--model-options: expected keys of a config\.json of the family "bert"/,
    ],
    [
      "a key that its weights do not fit",
      [...start, "--data", "train.tsv", "--model-options", '{"hidden_size":32}'],
      /base.*expected .*32.*got .*16/,
    ],
    [
      "a task a model cannot do",
      ["predict", "--checkpoint", "base", "--data", "dev.tsv"],
      /expected a model that was fine-tuned for a task, got BertForMaskedLM\. Make one with: cloze finetune/,
    ],
  ] as const)("%s", async (_name, argv, text) =>
    mistake([...argv, ...(argv[0] === "finetune" ? FAST : REFERENCE)], text),
  );

  test.each([
    ["an empty file", "empty.tsv", "", /empty\.tsv: expected records, got an empty file/],
    [
      "a broken quote",
      "quote.csv",
      'text,label\n"a,1\n',
      /quote\.csv, line 2: expected the quote that opens here to be closed/,
    ],
    [
      "a column that is missing",
      "column.csv",
      "body,label\na,1\n",
      /column\.csv, line 2: expected a text in a column "text"/,
    ],
    ["no JSON", "bad.jsonl", "{\n", /bad\.jsonl, line 1: expected a JSON object/],
  ])("%s", async (_name, file, content, text) =>
    mistake([...start, "--data", write(file, content), "--out", `runs/${file}`, ...FAST], text),
  );

  test("a label that the model does not know", async () => {
    write("unknown.tsv", "the film is good\t1\nthe film is bad\tmaybe\n");
    await mistake(
      ["evaluate", "--checkpoint", "runs/seeds/seed-0", "--data", "unknown.tsv", ...REFERENCE],
      /unknown\.tsv, line 2: expected a label the model knows \(0, 1\), got "maybe"/,
    );
    await mistake(
      [...start, "--data", "train.tsv", "--valid", "unknown.tsv", "--out", "runs/unknown", ...FAST],
      /unknown\.tsv, line 2: expected a label the model knows/,
    );
  });
});

describe("cloze/tasks", () => {
  test("three lines from a checkpoint to predictions, and a pipeline from a folder", async () => {
    const engine = backend();
    const examples = reviews(48, 1)
      .trimEnd()
      .split("\n")
      .map((line) => ({ text: line.split("\t")[0] as string, label: line.split("\t")[1] }));
    const model = await finetune({
      from: join(dir, "base"),
      task: textClassification(),
      data: examples,
      valid: join(dir, "dev.tsv"),
      backend: engine,
      lr: 0.01,
      epochs: 8,
      batch: 8,
    });
    const [answer] = await model.predict(["the film is very good ."]);
    expect(answer?.label).toBe("1");
    expect(model.figures?.["accuracy"]).toBeGreaterThan(0.8);
    expect(model.checkpoint).toBeUndefined();
    await model.dispose();
    const tagger = await taskPipeline(join(dir, "runs/ner"), { kind: "token-classification", backend: engine });
    expect((await tagger.predict(["bob is in rome"]))[0]?.entities.map(({ type }) => type)).toEqual(["PER", "LOC"]);
    await expect(taskPipeline(join(dir, "runs/ner"), { kind: "regression", backend: engine })).rejects.toThrow(
      /expected a model for regression, got one for token-classification/,
    );
    await tagger.dispose();
  });

  test("opens a checkpoint that was made elsewhere, without task.json", async () => {
    const made = join(dir, "elsewhere");
    const from = join(dir, "runs/seeds/seed-0/model");
    mkdirSync(made);
    for (const file of ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "tokenizer_config.json"])
      writeFileSync(join(made, file), readFileSync(join(from, file)));
    const model = await taskPipeline(made, { kind: "text-classification", backend: backend() });
    expect(model.labels).toEqual(["0", "1"]);
    expect((await model.predict(["the film is bad"]))[0]?.scores).toBeDefined();
    await model.dispose();
  });
});
