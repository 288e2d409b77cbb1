// The best checkpoint, early stopping and frozen layers: the features of the loop that fine-tuning needs.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adamw, layerGroups } from "@cloze/optim";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  loadTrainerState,
  loadWeights,
  newestCheckpoint,
  parseMetrics,
  train,
  withoutTime,
  type Evaluation,
  type EvaluationNumbers,
  type TrainOptions,
} from "../src/index.ts";
import { maskedLmParameters } from "@cloze/nn";
import { source, tinyRun } from "./tiny.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-best-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** An evaluation that returns the next score at each call. A resumed run skips the first `from` scores. */
function scores(values: readonly number[], from = 0): Evaluation<EvaluationNumbers> {
  let at = from;
  return { run: async () => ({ loss: 1, score: values[at++] ?? NaN }) };
}

type Options = TrainOptions<EvaluationNumbers>;

function run(folder: string, values: readonly number[], changes: Partial<Options> = {}): Options {
  const { evaluator: _, ...plain } = tinyRun(folder);
  return {
    ...plain,
    evaluator: scores(values),
    best: { metric: "score", better: "higher", patience: 2 },
    until: { steps: 20 },
    evalEvery: 2,
    saveEvery: 0,
    keep: 1,
    ...changes,
  };
}

async function resumed(
  folder: string,
  values: readonly number[],
  from: number,
  changes: Partial<Options> = {},
): Promise<Options> {
  const last = (await newestCheckpoint(folder)) as string;
  const { optimizer, state } = await loadTrainerState(last);
  const options = run(folder, values, { evaluator: scores(values, from), ...changes });
  return {
    ...options,
    weights: await loadWeights(last, new Map(Object.entries(options.weights))),
    resume: { optimizer, state, dir: last },
  };
}

const rows = (folder: string): string[] =>
  parseMetrics(readFileSync(join(folder, "metrics.jsonl")), "metrics.jsonl").rows.map(withoutTime);

describe("the best checkpoint", () => {
  it("is kept, and patience ends the run", async () => {
    const result = await train(run(dir, [0.1, 0.5, 0.4, 0.5, 0.9]));
    expect(result).toMatchObject({ steps: 8, interrupted: false, best: { metric: "score", value: 0.5, step: 4 } });
    expect(result.best?.checkpoint).toBe(join(dir, "checkpoints", "step-4"));
    expect(readdirSync(join(dir, "checkpoints")).sort()).toEqual(["step-4", "step-8"]);
  });

  it("may be the lowest, and a figure that is no number is never best", async () => {
    const result = await train(
      run(dir, [NaN, 3, 2, NaN, 4], { best: { metric: "score", better: "lower" }, until: { steps: 10 } }),
    );
    expect(result).toMatchObject({ steps: 10, best: { value: 2, step: 6 } });
  });

  it("gives up on figures that are never numbers", async () => {
    expect(await train(run(dir, [NaN, NaN, NaN, NaN, NaN]))).toMatchObject({ steps: 6, best: { value: NaN, step: 2 } });
  });

  it("survives an interruption: the same steps, the same rows, the same best", async () => {
    const values = [0.1, 0.5, 0.4, 0.6, 0.2, 0.3];
    const straight = join(dir, "straight");
    const broken = join(dir, "broken");
    const stop = new AbortController();
    const whole = await train(run(straight, values));
    await train(
      run(broken, values, {
        signal: stop.signal,
        onEvent: (e) => {
          if (e.kind === "row" && e.row.type === "train" && e.row.step === 7) stop.abort();
        },
      }),
    );
    // Step 8 was in flight at the abort, so the loop evaluated step 8 before it ended.
    const again = await train(await resumed(broken, values, 4));
    expect(again).toMatchObject({ steps: whole.steps, best: { value: 0.6, step: 8 } });
    expect(rows(broken)).toEqual(rows(straight));
    const finished = await train(await resumed(broken, values, 6));
    expect(finished).toMatchObject({ steps: 12, best: { value: 0.6, step: 8 } });
  });

  it("refuses a metric that is not there, and another metric on resuming", async () => {
    await expect(train(run(dir, [1], { best: { metric: "f1", better: "higher" } }))).rejects.toThrow(
      /a metric of the evaluation \(loss, score\), got "f1"/,
    );
    const other = join(dir, "other");
    await train(run(other, [1, 2], { until: { steps: 4 } }));
    await expect(resumed(other, [1], 2, { best: { metric: "loss", better: "lower" } }).then(train)).rejects.toThrow(
      /was chosen by score, this run says loss/,
    );
  });
});

describe("frozen layers", () => {
  const names = Object.keys(tinyRun("").weights);

  it("stay as they are, without gradient and without state, also in parts", async () => {
    for (const accumulate of [1, 2]) {
      const folder = join(dir, `parts-${accumulate}`);
      const options = tinyRun(folder, {
        optimizer: adamw({
          groups: layerGroups(maskedLmParameters(source.model).values(), { weightDecay: 0.01, freeze: 0 }),
        }),
        accumulate,
      });
      const { checkpoint } = await train(options);
      const after = await loadWeights(checkpoint, new Map(Object.entries(options.weights)));
      const { optimizer } = await loadTrainerState(checkpoint);
      const moved = names.filter((name) => after[name]?.data.some((x, i) => x !== options.weights[name]?.data[i]));
      expect(moved.some((name) => name.includes(".layer.0."))).toBe(true);
      expect(moved.filter((name) => name.includes("embeddings"))).toEqual([]);
      expect(Object.keys(optimizer).filter((name) => name.includes("embeddings"))).toEqual([]);
    }
  });
});
