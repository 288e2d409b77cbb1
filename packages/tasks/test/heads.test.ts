// Heads: their loss equals the formula on the host, and neither batching nor padding changes a logit or the loss.
import { Graph, interpret } from "@cloze/graph";
import { headParameters, type Head } from "@cloze/models/families";
import { encoderInputs, initialize, rootScope } from "@cloze/nn";
import { describe, expect, it } from "vitest";
import { backend } from "@cloze/backend-reference";
import {
  encodeLabelled,
  multiLabel,
  multipleChoice,
  questionAnswering,
  regression,
  textClassification,
  tokenClassification,
  type Task,
} from "../src/index.ts";
import { LogitsRunner } from "../src/logits-runner.ts";
import { sequenceStates } from "../src/sequence-head.ts";
import { opened, tokenizer } from "./tiny.ts";

const logSumExp = (x: readonly number[]): number => Math.log(x.reduce((sum, each) => sum + Math.exp(each), 0));
const entropy = (x: readonly number[], target: number): number => logSumExp(x) - (x[target] as number);
const texts = ["good film", "the plot was very very bad .", "a poor film , not good", "who is ann ?", "fine"];
const context = "ann lives in rome . bob lives in oslo .";

/** The loss from the logits by formula: [sum, weight]. */
type ByHand = (logits: readonly Float32Array[], targets: readonly ArrayLike<number>[]) => readonly [number, number];

const each = (terms: readonly (readonly [number, number])[]): readonly [number, number] =>
  terms.reduce(([a, b], [x, w]) => [a + x * w, b + w], [0, 0]);

const cases: readonly (readonly [name: string, task: Task, records: readonly object[], byHand: ByHand])[] = [
  [
    "classes with weights",
    textClassification({ labels: ["a", "b", "c"], classWeights: { b: 3 } }) as Task,
    texts.map((text, i) => ({ text, label: "abcab"[i] })),
    (logits, targets) =>
      each(logits.map((x, i) => [entropy([...x], targets[i]?.[0] as number), targets[i]?.[0] === 1 ? 3 : 1])),
  ],
  [
    "independent labels",
    multiLabel({ labels: ["a", "b", "c"] }) as Task,
    texts.map((text, i) => ({ text, labels: [["a"], [], ["b", "c"], ["c"], ["a", "b"]][i] })),
    (logits, targets) =>
      each(
        logits.flatMap((x, i) =>
          [...x].map((v, k) => [Math.log(1 + Math.exp(v)) - v * (targets[i]?.[k] as number), 1 / 3] as const),
        ),
      ),
  ],
  [
    "a number",
    regression() as Task,
    texts.map((text, i) => ({ text, label: i / 2 })),
    (logits, targets) => each(logits.map((x, i) => [((x[0] as number) - (targets[i]?.[0] as number)) ** 2, 1])),
  ],
  [
    "tags",
    tokenClassification({ labels: ["O", "B-X", "I-X"] }) as Task,
    texts.map((text) => ({ words: text.split(" "), tags: text.split(" ").map((_, i) => ["O", "B-X", "I-X"][i % 3]) })),
    (logits, targets) =>
      each(
        logits.flatMap((x, i) =>
          Array.from(targets[i] ?? []).flatMap((tag, t) =>
            tag === -100 ? [] : [[entropy([...x.subarray(3 * t, 3 * t + 3)], tag), 1] as const],
          ),
        ),
      ),
  ],
  [
    "spans",
    questionAnswering() as Task,
    ["rome", "oslo", "ann"].map((text, i) => ({
      question: "who ?".repeat(i + 1),
      context,
      answers: [{ text, start: context.indexOf(text) }],
    })),
    (logits, targets) =>
      each(
        logits.map((x, i) => [
          [0, 1].reduce(
            (sum, side) =>
              sum +
              entropy(
                Array.from({ length: x.length / 2 }, (_, t) => x[2 * t + side] as number),
                targets[i]?.[side] as number,
              ),
            0,
          ) / 2,
          1,
        ]),
      ),
  ],
  [
    "choices, two or three",
    multipleChoice() as Task,
    texts.map((text, i) => ({ text, choices: ["in rome", "bad", "good ."].slice(0, 2 + (i % 2)), label: i % 2 })),
    (logits, targets) =>
      each(
        targets.flatMap((target, i) =>
          target[0] === 0
            ? [
                [
                  entropy(
                    Array.from({ length: target[1] as number }, (_, c) => logits[i + c]?.[0] as number),
                    target[2] as number,
                  ),
                  1,
                ] as const,
              ]
            : [],
        ),
      ),
  ],
];

describe.each(cases)("%s", (_name, task, records, byHand) => {
  const examples = encodeLabelled(task, tokenizer, records, { maxLength: 24 }, (i) => `${i}`);
  const { rows, groups, targets } = examples;
  const run = async (tokensPerBatch: number): ReturnType<LogitsRunner["run"]> => {
    const engine = backend({ precision: "f64" });
    const model = opened.model as ConstructorParameters<typeof LogitsRunner>[0]["model"];
    const session = await engine.start(
      initialize(headParameters(opened.model, task.head.requires as Head, task.head.width), 2),
    );
    return new LogitsRunner({ backend: engine, model, head: task.head, padId: 0, tokensPerBatch }).run(
      session,
      rows,
      groups,
      targets,
    );
  };

  it("has the loss of its formula, whatever the batches and the padding", async () => {
    const alone = await run(16);
    const together = await run(1024);
    const [sum, weight] = byHand(together.logits, targets);
    expect(together.loss).toBeCloseTo(sum / weight, 5);
    expect(alone.loss).toBeCloseTo(together.loss as number, 6);
    rows.forEach(({ ids: { length } }, i) => {
      expect(together.logits[i]?.length).toBe(task.head.width * (task.head.perToken ? length : 1));
      alone.logits[i]?.forEach((x, k) => expect(together.logits[i]?.[k]).toBeCloseTo(x, 5));
    });
  });
});

describe("what stands for a sequence", () => {
  /** The result for a model whose states are [id, 2 id], and NaN at padding. */
  const states = (pooling?: "first" | "mean"): number[] => {
    const scope = rootScope(new Graph());
    const inputs = encoderInputs(scope.graph, 3, 4);
    const column = inputs.ids.reshape([3, 4, 1]).cast("f32");
    const encode = (): typeof column =>
      inputs.segments
        .greater(0)
        .reshape([3, 4, 1])
        .select(column.concat([column.mul(2)], 2), NaN);
    const root = sequenceStates(scope, { hidden: 2, encode, ...(pooling && { pooling }) }, inputs);
    return Array.from(
      interpret([root], {
        ids: [4, 6, 8, 0, 3, 0, 0, 0, 1, 2, 3, 6],
        segments: [1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1],
        positions: new Array<number>(12).fill(0),
      })[0]?.data ?? [],
    );
  };

  it("is its first token, or the mean over its tokens, by the model", () => {
    expect(states()).toEqual([4, 8, 3, 6, 1, 2]);
    expect(states("first")).toEqual(states());
    expect(states("mean")).toEqual([6, 12, 3, 6, 3, 6]);
  });
});
