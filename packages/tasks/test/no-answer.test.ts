/** What is no answer: logits that are not finite, heads that the weights lack; and what rows cut off is counted. */
import { describe, expect, it } from "vitest";
import type { HostTensors } from "@cloze/graph";
import { createTaskModel, taskOf, type Cut, type Task, type TaskKind, type TaskModel } from "@cloze/tasks";
import { engine, opened, tokenizer, weightsOf } from "./tiny.ts";

const labels = ["B-PER", "O"];
const RECORDS: { readonly [K in TaskKind]: object } = {
  "text-classification": { text: "a good film", label: "O" },
  "multi-label": { text: "a good film", labels: ["O"] },
  regression: { text: "a good film", label: 1 },
  "token-classification": { words: ["ann", "lives"], tags: ["B-PER", "O"] },
  "question-answering": { question: "who ?", context: "ann lives in rome", answers: [{ text: "ann", start: 0 }] },
  "multiple-choice": { text: "who ?", choices: ["ann", "bob"], label: 0 },
};

const taskNamed = (kind: TaskKind): Task =>
  taskOf(kind, ["regression", "question-answering", "multiple-choice"].includes(kind) ? {} : { labels }) as Task;

const modelOf = (kind: TaskKind, change: (weights: HostTensors) => HostTensors, maxLength = 32): Promise<TaskModel> => {
  const task = taskNamed(kind);
  const weights = change(weightsOf(task.head.requires, task.head.width));
  return createTaskModel({
    task,
    weights,
    tokenizer,
    maxLength,
    backend: engine,
    model: opened.model as never,
    padId: 0,
  });
};

describe.each(Object.entries(RECORDS) as [TaskKind, object][])("%s", (kind, record) => {
  it("is not answered by a head that the weights lack, or hold in another shape", async () => {
    const name = kind === "question-answering" ? "qa_outputs.weight" : "classifier.weight";
    const without = ({ [name]: _, ...others }: HostTensors): HostTensors => others;
    await expect(modelOf(kind, without)).rejects.toThrow(`${kind}: expected the parameter "${name}"`);
    const other = { dtype: "f32" as const, shape: [7, 16], data: new Float32Array(7 * 16) };
    await expect(modelOf(kind, (weights) => ({ ...weights, [name]: other }))).rejects.toThrow("got [7, 16]");
    const base = weightsOf("masked-lm", 2);
    await expect(modelOf(kind, () => base)).rejects.toThrow("An untrained head gives no answers");
  });

  it("is not answered by NaN", async () => {
    const name = "bert.encoder.layer.0.output.LayerNorm.weight";
    const spoilt = (weights: HostTensors): HostTensors => ({
      ...weights,
      [name]: { dtype: "f32", shape: [16], data: Float32Array.from({ length: 16 }, (_, i) => (i === 2 ? NaN : 1)) },
    });
    const model = await modelOf(kind, spoilt);
    const cause = `The weights are not finite: the tensor "${name}" holds NaN at element 2`;
    await expect(model.predict([record])).rejects.toThrow(`${kind}, example 1: expected finite numbers, got NaN`);
    await expect(model.predict([record], { where: () => "a.csv, line 3" })).rejects.toThrow(`${kind}, a.csv, line 3`);
    await expect(model.evaluate([record], () => "a.csv, line 3")).rejects.toThrow("a.csv, line 3: expected finite");
    await expect(model.evaluate([record])).rejects.toThrow(cause);
    await model.dispose();
  });
});

it("counts what rows cut off", async () => {
  const model = await modelOf("text-classification", (weights) => weights, 8);
  const long = "the film was very very very very good ."; // 9 tokens, and room for 6
  const cuts: Cut[] = [];
  await model.predict(["a good film", long, long], { onCut: (cut) => cuts.push(cut) });
  expect(cuts).toEqual([{ records: 2, tokens: 6 }]);
  const labelled = [{ text: "a good film" }, { text: long }].map((record) => ({ ...record, label: "O" }));
  expect((await model.report(labelled)).cut).toEqual({ records: 1, tokens: 3 });
  await model.dispose();
});
