// Fine-tuning as a run: it learns, resumes exactly, writes a checkpoint that can be opened, and rejects settings that
// make no sense.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseMetrics, withoutTime } from "@cloze/trainer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createTaskModel,
  multipleChoice,
  questionAnswering,
  textClassification,
  tokenClassification,
  type TextClass,
  type TextRecord,
} from "../src/index.ts";
import { fineTune, type FineTuned, type FineTuneOptions } from "../src/node.ts";
import { engine, opened, reviews, tokenizer, weightsOf } from "./tiny.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-task-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

type Options = FineTuneOptions<TextRecord, TextClass>;
const settings = {
  opened,
  weights: weightsOf("masked-lm", 2),
  name: "tiny",
  tokenizer,
  backend: engine,
  batch: 8,
  lr: 0.02,
} as const;
const sentiment = (run: string, changes: Partial<Options> = {}): Options => ({
  ...settings,
  task: textClassification(),
  train: reviews(40),
  valid: reviews(16, 4),
  run,
  epochs: 3,
  ...changes,
});
const rowsOf = (run: string): string[] =>
  parseMetrics(readFileSync(join(run, "metrics.jsonl")), "metrics.jsonl").rows.map(withoutTime);

describe("fineTune", () => {
  it("learns sentiment, and its model says the same when it is opened again", async () => {
    const notes: string[] = [];
    const { task, figures, checkpoint, weights, maxLength } = await fineTune(
      sentiment(dir, { onNote: (line) => notes.push(line) }),
    );
    expect(figures?.["accuracy"]).toBeGreaterThan(0.9);
    expect(notes).toEqual([
      "new, not from the checkpoint: bert.pooler.dense.weight, bert.pooler.dense.bias, classifier.weight, " +
        "classifier.bias",
    ]);
    const config = JSON.parse(readFileSync(join(checkpoint as string, "config.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect(config).toMatchObject({
      architectures: ["BertForSequenceClassification"],
      id2label: { 0: "negative", 1: "positive" },
      label2id: { negative: 0, positive: 1 },
      problem_type: "single_label_classification",
    });
    const model = await createTaskModel({
      task,
      model: opened.model as never,
      weights,
      tokenizer,
      backend: engine,
      padId: 0,
      maxLength,
      tokensPerBatch: 64,
    });
    const texts = reviews(20, 9);
    const answers = await model.predict(texts.map(({ text }) => text));
    expect(answers.filter(({ label }, i) => label === texts[i]?.label).length).toBeGreaterThanOrEqual(16);
    const again = await model.evaluate(reviews(16, 4)); // the same records in other batches
    expect(again).toMatchObject({ accuracy: figures?.["accuracy"], mcc: figures?.["mcc"] });
    expect(again.loss).toBeCloseTo(figures?.loss ?? NaN, 6);
    await expect(model.evaluate([{ text: "good", label: "neutral" }])).rejects.toThrow(
      /^example 1: expected a label the model knows \(negative, positive\), got "neutral"/,
    );
  });

  it("resumes exactly, and the same with layer-wise rates, frozen layers and parts", async () => {
    const changes = { layerDecay: 0.5, freeze: 0, accumulate: 2, epochs: 2 } as const;
    const straight = join(dir, "straight");
    const broken = join(dir, "broken");
    const stop = new AbortController();
    const whole = await fineTune(sentiment(straight, changes));
    const halted = await fineTune(
      sentiment(broken, {
        ...changes,
        signal: stop.signal,
        onEvent: (e) => {
          if (e.kind === "row" && e.row.step === 3) stop.abort();
        },
      }),
    );
    expect(halted).toMatchObject({ checkpoint: undefined, result: { interrupted: true } });
    const again = await fineTune(sentiment(broken, { ...changes, resume: true }));
    expect(rowsOf(broken)).toEqual(rowsOf(straight));
    expect(again.figures).toEqual(whole.figures);
    const name = "bert.embeddings.word_embeddings.weight";
    expect(again.weights[name]).toEqual(settings.weights[name]);
  });

  it("ends when no evaluation is better any more, with the best checkpoint", async () => {
    const { result, figures } = await fineTune(
      sentiment(dir, { epochs: 40, patience: 2, metric: { metric: "accuracy", better: "higher" } }),
    );
    expect(result.steps).toBeLessThan(200);
    expect(figures?.["accuracy"]).toBe(result.best?.value);
  });

  it("says how many texts were cut", async () => {
    const notes: string[] = [];
    await fineTune(sentiment(dir, { maxLength: 8, epochs: 0.2, onNote: (line) => notes.push(line) }));
    expect(notes[1]).toMatch(/^\d+ of 40 rows are cut to 8 tokens\./);
  });

  it("starts a head anew where the checkpoint's is for other labels", async () => {
    const { figures } = await fineTune(sentiment(dir, { weights: weightsOf("sequence-classification", 5), epochs: 1 }));
    expect(figures?.loss).toBeGreaterThan(0);
  });

  it("learns tags, answers and choices", async () => {
    const people = ["ann", "bob"];
    const places = ["rome", "oslo"];
    const facts = Array.from({ length: 32 }, (_, i) => ({
      who: people[i % 2] as string,
      where: places[(i >> 1) % 2] as string,
      filler: i % 3,
    }));
    const tagged = facts.map(({ who, where, filler }) => ({
      words: ["is", who, ...new Array<string>(filler).fill("very"), "in", where],
      tags: ["O", "B-PER", ...new Array<string>(filler).fill("O"), "O", "B-LOC"],
    }));
    const tags = await fineTune({
      ...settings,
      task: tokenClassification(),
      train: tagged,
      valid: tagged.slice(0, 8),
      run: join(dir, "tags"),
      epochs: 4,
    });
    expect([tags.task.labels, tags.figures?.["f1"]]).toEqual([["O", "B-LOC", "I-LOC", "B-PER", "I-PER"], 1]);
    const asked = facts.map(({ who, where, filler }) => {
      const context = `${"very ".repeat(filler)}${who} lives in ${where}`;
      return { question: "where ?", context, answers: [{ text: where, start: context.lastIndexOf(where) }] };
    });
    const answers: FineTuned<(typeof asked)[number]> = (await fineTune({
      ...settings,
      task: questionAnswering(),
      train: asked,
      valid: asked.slice(0, 8),
      run: join(dir, "answers"),
      epochs: 6,
      maxLength: 32,
    })) as FineTuned<(typeof asked)[number]>;
    expect(answers.figures?.["f1"]).toBe(1);
    const chosen = facts.map(({ who }, i) => ({
      text: `who is good ? ${who}`,
      choices: i % 2 === 0 ? ["good", "bad"] : ["bad", "good", "poor"],
      label: i % 2,
    }));
    const choices = await fineTune({
      ...settings,
      task: multipleChoice(),
      train: chosen,
      valid: chosen.slice(0, 8),
      run: join(dir, "choices"),
      epochs: 6,
    });
    expect(choices.figures?.["accuracy"]).toBe(1);
  });

  it("learns that some questions have no answer, and takes the threshold that is best", async () => {
    const asked = Array.from({ length: 32 }, (_, i) => {
      const where = ["rome", "oslo"][i % 2] as string;
      const context = `ann lives in ${where} .`;
      const answerable = (i >> 1) % 2 === 0;
      return {
        question: answerable ? "where ?" : "who is bob ?",
        context,
        answers: answerable ? [{ text: where, start: context.indexOf(where) }] : [],
      };
    });
    const { task, figures } = await fineTune({
      ...settings,
      task: questionAnswering({ noAnswer: true }),
      train: asked,
      valid: asked.slice(0, 12),
      run: dir,
      epochs: 8,
      lr: 0.01,
      maxLength: 32,
    });
    expect(figures?.["bestF1"]).toBe(1);
    expect(task.settings["threshold"]).toBe(figures?.["bestF1Threshold"]);
    expect(figures).toHaveProperty("noAnswerAccuracy");
  });

  it("refuses what makes no sense", async () => {
    await expect(fineTune(sentiment(dir, { train: [] }))).rejects.toThrow(/expected training examples, got none/);
    await expect(fineTune(sentiment(dir, { valid: [] }))).rejects.toThrow(/expected examples to evaluate on, got none/);
    const { valid: _, ...alone } = sentiment(dir, { patience: 2 });
    await expect(fineTune(alone)).rejects.toThrow(/expected validation data for patience, got none/);
    await expect(fineTune(sentiment(dir, { accumulate: 3 }))).rejects.toThrow(/a batch that 3 parts divide, got 8/);
    await expect(
      fineTune(sentiment(dir, { valid: [{ text: "good", label: "odd" }], whereValid: () => "dev.tsv, line 1" })),
    ).rejects.toThrow(/^dev\.tsv, line 1: expected a label the model knows/);
  });
});
