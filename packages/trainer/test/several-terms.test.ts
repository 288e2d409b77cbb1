/**
 * A loss of several terms in the loop: the value of a step does not depend on the division of its batch into parts, and
 * a run resumes bit for bit.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backend } from "@cloze/backend-reference";
import { memoryDocuments, pairBatches, pairEvaluationBatches } from "@cloze/data";
import { initialize, linear, parametersOf, encoderInputs, type MaskedLm, type SentencePairModel } from "@cloze/nn";
import { composeObjectives, sentencePairObjective, type AnyModel, type Objective } from "@cloze/objective";
import { mlm } from "@cloze/objective-mlm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  Evaluator,
  parseMetrics,
  train,
  withoutTime,
  type MetricsRow,
  type ModelSource,
  type TrainOptions,
} from "../src/index.ts";
import { corpus, resumed, source, tinyRun, tokenizer } from "./tiny.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-terms-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const rows = (run: string): readonly MetricsRow[] =>
  parseMetrics(readFileSync(join(run, "metrics.jsonl")), "metrics.jsonl").rows;

/** The tiny model with a head for pairs. */
const model: MaskedLm & SentencePairModel = {
  hidden: source.model.hidden,
  vocab: source.model.vocab,
  encode: (scope, inputs) => source.model.encode(scope, inputs),
  predict: (scope, states) => source.model.predict(scope, states),
  relate: (scope, first) => linear(scope.at("pair"), first, 2),
};
const paired: ModelSource<AnyModel> = { ...source, model };
const parameters = parametersOf((scope) => {
  const states = model.encode(scope, encoderInputs(scope.graph, 1, 2)).reshape([-1, model.hidden]);
  return [model.predict(scope, states), model.relate(scope, states)];
});
const documents = memoryDocuments(Array.from({ length: 12 }, (_, d) => corpus(5 + d).slice(d % 4)));
const special = { pad: tokenizer.special.pad, start: 0, end: 2 };

const both: Objective = composeObjectives([mlm(tokenizer), sentencePairObjective("nsp", "random")]);

function run(folder: string, rowsPerBatch: number, accumulate: number, more: Partial<TrainOptions> = {}): TrainOptions {
  const engine = more.backend ?? backend({ precision: "f64" });
  const batches = pairBatches(documents, { seed: 1, length: 32, rowsPerBatch, special, second: "random" });
  const evaluator = new Evaluator({
    backend: engine,
    source: paired,
    objective: both,
    batches: pairEvaluationBatches(documents, { length: 32, rowsPerBatch: 4, special, second: "random" }),
  });
  return tinyRun(folder, {
    backend: engine,
    source: paired,
    objective: both,
    batches,
    accumulate,
    evaluator,
    weights: initialize(parameters, 1),
    ...more,
  });
}

describe("a loss of several terms", () => {
  it("is the sum of the means of its terms, and each of them is in the log and in the evaluation", async () => {
    const { evaluation } = await train(run(dir, 4, 1));
    const all = rows(dir);
    const last = all.at(-1) as MetricsRow;
    for (const row of all.filter(({ type }) => type === "train")) {
      expect(row.loss).toBeCloseTo((row["mlm.loss"] as number) + (row["nsp.loss"] as number), 6);
      expect(row["nsp.loss"]).toBeGreaterThan(0.05);
      expect(row).toHaveProperty("accuracy");
      expect(row).toHaveProperty(["nsp.accuracy"]);
    }
    expect(last).toMatchObject({
      type: "eval",
      loss: evaluation?.["loss"],
      "mlm.loss": expect.closeTo(evaluation?.["loss"] ?? NaN, 6) as number,
    });
    expect(last["nsp.accuracy"]).toBeGreaterThan(0);
    expect(evaluation?.["perplexity"]).toBeCloseTo(Math.exp(evaluation?.["loss"] ?? NaN), 6);
  });

  it("has the same steps in one batch and in accumulated parts", async () => {
    const whole = join(dir, "whole");
    const parts = join(dir, "parts");
    await train(run(whole, 4, 1));
    await train(run(parts, 1, 4));
    const [a, b] = [rows(whole), rows(parts)];
    expect(b.length).toBe(a.length);
    for (const [i, row] of a.entries()) {
      for (const name of ["loss", "gradNorm", "mlm.loss", "nsp.loss", "accuracy", "nsp.accuracy"]) {
        if (typeof row[name] === "number") expect(b[i]?.[name], `${name} of row ${i}`).toBeCloseTo(row[name], 6);
      }
    }
    // The parts have different shares of tokens and pairs, so a division in each part would give another value.
    expect(new Set(a.filter(({ type }) => type === "train").map(({ tokens }) => tokens)).size).toBeGreaterThan(1);
  });

  it("learns both, and resumes bit for bit", async () => {
    const straight = join(dir, "straight");
    const broken = join(dir, "broken");
    await train(run(straight, 2, 2, { backend: backend() }));
    await train(run(broken, 2, 2, { backend: backend(), until: { steps: 4 } }));
    const { weights, resume } = await resumed(broken, { weights: initialize(parameters, 1) });
    await train(run(broken, 2, 2, { backend: backend(), weights, ...(resume && { resume }) }));
    const plain = (folder: string): string[] =>
      rows(folder)
        .filter(({ type }) => type === "train")
        .map(withoutTime);
    expect(plain(broken)).toEqual(plain(straight));
    expect(rows(straight).find(({ step, type }) => step === 6 && type === "train")?.loss).toBeLessThan(
      rows(straight)[0]?.loss ?? 0,
    );
  });
});
