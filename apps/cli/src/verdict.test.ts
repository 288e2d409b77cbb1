import type { MetricsRow } from "@cloze/trainer";
import { describe, expect, it } from "vitest";
import { courseOf, verdict, VERDICT_RULES, type RunFacts } from "./verdict.ts";

/** Rows of a run: a training loss at each step, and evaluations at some. */
function rows(train: readonly number[], evals: Readonly<Record<number, number>> = {}): MetricsRow[] {
  return train.flatMap((loss, i) => {
    const step = i + 1;
    const evaluation = evals[step];
    return [
      { type: "train" as const, step, tokens: step, loss },
      ...(evaluation === undefined ? [] : [{ type: "eval" as const, step, tokens: step, loss: evaluation }]),
    ];
  });
}
const line = (from: number, to: number, count = 100): number[] =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));

const MLM = { of: { objective: "mlm" }, unigramEntropy: 2.89 } as const;
const CLASSES = { of: { task: "text-classification" } } as const;
const task = (name: string, figures: Readonly<Record<string, number>>): RunFacts => ({
  of: { task: name },
  rows: rows(line(1, 0.9), { 100: 0.9 }),
  figures,
});

// The entropy of the frequencies is the lowest loss without context (Shannon 1948, theorem 9); r2 is 0 and MCC is 0 for
// a constant answer (scikit-learn, r2_score and matthews_corrcoef).
const TABLE: readonly (readonly [string, RunFacts, readonly string[]])[] = [
  [
    "nothing held out",
    { ...MLM, unigramEntropy: undefined, rows: rows(line(3.5, 2.8)) },
    ["nothing was held out, so nothing says what it learnt: --valid 0.05 holds a part out"],
  ],
  [
    "nothing held out of a task",
    { ...CLASSES, rows: rows(line(0.7, 0.2)) },
    ["nothing was held out, so nothing says what it learnt: give it --valid FILE"],
  ],
  [
    "no number",
    { ...MLM, rows: rows(line(3.5, 3), { 100: NaN }) },
    ["the validation loss is no number: lower --lr, or check the data"],
  ],
  [
    "above the frequencies",
    { ...MLM, rows: rows(line(3.5, 2.9), { 100: 2.93 }) },
    ["0.04 nats above the frequencies: nothing learnt from context yet. Train longer, or try another --lr"],
  ],
  [
    "just below",
    { ...MLM, rows: rows(line(3.5, 2.86), { 100: 2.86 }) },
    ["0.03 nats below the frequencies: hardly learnt, train longer"],
  ],
  [
    "well below",
    { ...MLM, rows: rows(line(3.5, 2.5), { 100: 2.5 }) },
    ["0.39 nats below the frequencies: it uses context"],
  ],
  [
    "another objective has no such floor",
    { ...MLM, of: { objective: "masked-diffusion" }, rows: rows(line(3, 2), { 100: 2 }) },
    [],
  ],
  [
    "over-fitting",
    { ...MLM, rows: rows(line(3.5, 1.5), { 25: 2.7, 50: 2.5, 75: 2.6, 100: 2.7 }) },
    [
      "0.19 nats below the frequencies: it uses context",
      "validation loss rises since step 50 (2.50, at the end 2.70): over-fitting. Take the checkpoint of step 50, or train shorter or on more data",
    ],
  ],
  [
    "over-fitting of a task, whose best checkpoint is kept",
    {
      ...CLASSES,
      rows: rows(line(0.7, 0.01), { 50: 0.4, 100: 0.9 }),
      figures: { accuracy: 0.9, mcc: 0.8 },
      majority: 0.6,
      bestStep: 50,
    },
    [
      "right for 90.0 %, where the most frequent label alone is right for 60.0 %",
      "validation loss rises since step 50 (0.40, at the end 0.90): over-fitting. The checkpoint that is kept is that of step 50",
    ],
  ],
  [
    "diverged",
    { ...MLM, rows: rows([...line(3.5, 2.7, 50), ...line(2.7, 5, 50)], { 50: 2.7, 100: 5 }) },
    [
      "2.11 nats above the frequencies: nothing learnt from context yet. Train longer, or try another --lr",
      "training loss rose from 2.77 to 4.79: it diverged. Lower --lr, or raise --warmup",
    ],
  ],
  [
    "still falling",
    { ...MLM, rows: rows(line(3.5, 2.3), { 25: 2.8, 50: 2.6, 75: 2.45, 100: 2.3 }) },
    ["0.59 nats below the frequencies: it uses context", "validation loss still falls: a longer run gets lower"],
  ],
  [
    "level",
    { ...MLM, rows: rows(line(2.5, 2.3), { 25: 2.35, 50: 2.31, 75: 2.3, 100: 2.3 }) },
    ["0.59 nats below the frequencies: it uses context"],
  ],
  [
    "one label for everything",
    { ...CLASSES, rows: rows(line(0.7, 0.69), { 100: 0.69 }), figures: { accuracy: 0.52, mcc: 0 }, majority: 0.52 },
    [
      "one label for everything: it is right for 52.0 %, the share of that label. Train longer, try another --lr, or check the labels",
    ],
  ],
  [
    "one label in the validation data",
    { ...CLASSES, rows: rows(line(0.7, 0.1), { 100: 0.1 }), figures: { accuracy: 1, mcc: 0 }, majority: 1 },
    ["the validation data has one label only, so nothing says what it learnt"],
  ],
  [
    "worse than the most frequent label",
    { ...CLASSES, rows: rows(line(0.7, 0.6), { 100: 0.6 }), figures: { accuracy: 0.5, mcc: 0.01 }, majority: 0.55 },
    ["right for 50.0 %, no better than the most frequent label alone (55.0 %): hardly learnt, train longer"],
  ],
  [
    "no label",
    task("multi-label", { microF1: 0 }),
    ["no label for anything: hardly learnt, train longer or try another --lr"],
  ],
  [
    "no entity",
    task("token-classification", { f1: 0, accuracy: 0.8 }),
    ["no entity is found right: hardly learnt, train longer or try another --lr"],
  ],
  [
    "no answer",
    task("question-answering", { f1: 0, exact: 0 }),
    ["no answer is right: hardly learnt, train longer or try another --lr"],
  ],
  [
    "the mean",
    task("regression", { r2: -0.01 }),
    ["no better than the mean of the labels for everything: hardly learnt, train longer or try another --lr"],
  ],
  ["a task with nothing to remark", task("regression", { r2: 0.8 }), []],
  [
    "a short run",
    { ...MLM, rows: rows([3.5, 3.6], { 2: 3.5 }) },
    ["0.61 nats above the frequencies: nothing learnt from context yet. Train longer, or try another --lr"],
  ],
];

describe("the verdict on a run", () => {
  for (const [name, facts, sentences] of TABLE) it(name, () => expect(verdict(facts)).toEqual(sentences));

  it("has a case for every rule", () => {
    const said = new Set(TABLE.flatMap(([, facts]) => verdict(facts)));
    const used = new Set<string>();
    for (const { name, says } of VERDICT_RULES)
      for (const [, facts] of TABLE) {
        const sentence = says(courseOf(facts));
        if (sentence !== undefined && said.has(sentence)) used.add(name);
      }
    expect([...used]).toEqual(VERDICT_RULES.map(({ name }) => name));
  });
});
