// One mask evaluates every model, whatever trained the model: objectives, rates and smoothing differ, and the feeds of
// validation do not.
import { backend } from "@cloze/backend-reference";
import { memoryDataset, paddedBatches } from "@cloze/data";
import { esm2, esm2Configs, esm2ConfigText } from "@cloze/models/esm2";
import { initialize, maskedLmParameters } from "@cloze/nn";
import { evaluationMask, type Objective } from "@cloze/objective";
import { maskedDiffusion } from "@cloze/objective-masked-diffusion";
import { mlm } from "@cloze/objective-mlm";
import { esm2 as esm2Tokenizer } from "@cloze/tokenizer-protein";
import { readMetrics, type EvaluationResult, type ModelSource } from "@cloze/trainer";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { validation } from "../src/validation.ts";
import { fasta, tinyConfig } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const tokens = esm2Tokenizer();
const config = { ...esm2Configs["esm2-8m"], layers: 1, hidden: 16, heads: 2, intermediate: 32 };
const source: ModelSource = {
  name: "tiny",
  model: esm2(config),
  configText: esm2ConfigText(config),
  buffers: {},
  maxLength: 64,
};
const sequences = fasta(12)
  .trim()
  .split("\n")
  .filter((_, i) => i % 2 === 1)
  .map((text) => tokens.encode(text, { special: false }).ids);
const { pad, start, end } = tokens.special;
const batches = paddedBatches(memoryDataset(sequences), {
  special: { pad, ...(start !== undefined && { start }), ...(end !== undefined && { end }) },
  maxSequence: 64,
  rowsPerBatch: 4,
});

/**
 * An objective that hides every second token, as no other does, and makes no difference between training and
 * evaluation.
 */
const everySecond: Objective<"masked-lm"> = {
  ...mlm(tokens),
  name: "every-second",
  comparable: false,
  prepare(batch) {
    const { feeds, weights } = evaluationMask(batch, tokens);
    return {
      feeds: {
        ...feeds,
        ids: {
          dtype: "i32",
          shape: [batch.rows, batch.length],
          data: batch.ids.map((id, i) => (i % 2 === 1 && !tokens.specialIds.has(id) ? 32 : id)),
        },
      },
      weights,
    };
  },
};

async function judged(
  objective: Objective,
): Promise<{ readonly masks: readonly (readonly number[])[]; readonly figures: EvaluationResult }> {
  const engine = backend();
  const session = await engine.start(initialize(maskedLmParameters(source.model), 1));
  const run = vi.spyOn(session, "run");
  const figures = await validation({ backend: engine, source, objective, tokens, batches }).run(session);
  return { figures, masks: run.mock.calls.map(([, feeds]) => Array.from(feeds?.["ids"]?.data ?? [])) };
}

describe("validation", () => {
  test.each<[string, Objective, readonly string[]]>([
    [
      "at a rate of 50 %, whole words, smoothed",
      mlm(tokens, { rate: 0.5, unit: "whole-word", labelSmoothing: 0.2, zLoss: 1e-3 }),
      [],
    ],
    ["with masked diffusion", maskedDiffusion(tokens), ["masked-diffusion.loss"]],
    [
      "with masked diffusion, cosine",
      maskedDiffusion(tokens, { noise: "cosine", lowDiscrepancy: true }),
      ["masked-diffusion.loss"],
    ],
    ["with a stranger's objective", everySecond, ["every-second.loss"]],
  ])("of a model trained %s is over the masks of plain MLM, and gives its figures", async (_, objective, beside) => {
    const plain = await judged(mlm(tokens));
    const other = await judged(objective);
    expect(plain.masks).toHaveLength(batches.count);
    expect(plain.masks.some((ids) => ids.includes(32))).toBe(true);
    expect(other.masks.slice(0, batches.count)).toEqual(plain.masks);
    expect(other.figures).toMatchObject(plain.figures);
    expect(Object.keys(other.figures).filter((name) => name.includes("."))).toEqual(beside);
    for (const name of beside) expect(other.figures[name]).not.toBeCloseTo(plain.figures.loss, 6);
  });

  test("of an objective that trains no masked-LM head is its own", async () => {
    const own: Objective = { ...everySecond, requires: "token-classification" };
    const { masks } = await judged(own);
    const { masks: others } = await judged(mlm(tokens));
    expect(masks).toHaveLength(batches.count);
    expect(masks).not.toEqual(others);
  });
});

describe("the command line", () => {
  const { dir, run, write } = cli();
  const pretrain = (out: string, objective: string, options: object): ReturnType<typeof run> => {
    write("data.fasta", fasta(60));
    write("tiny.json", JSON.stringify(tinyConfig));
    return run(
      "pretrain",
      "--model",
      "tiny.json",
      "--data",
      "data.fasta",
      "--valid",
      "0.3",
      "--steps",
      "12",
      "--batch-tokens",
      "256",
      "--max-length",
      "64",
      "--lr",
      "0.005",
      "--backend",
      "reference",
      "--eval-every",
      "6",
      "--objective",
      objective,
      "--objective-options",
      JSON.stringify(options),
      "--out",
      out,
      "--json",
    );
  };
  const evaluate = (checkpoint: string, ...more: string[]): ReturnType<typeof run> =>
    run(
      "evaluate",
      "--checkpoint",
      checkpoint,
      "--data",
      "data.fasta",
      "--split",
      "valid",
      "--valid",
      "0.3",
      "--max-length",
      "64",
      "--backend",
      "reference",
      "--json",
      ...more,
    );

  test("trains by masked diffusion, and validates as evaluate does with no word of it", async () => {
    const { code, err, json } = await pretrain("diffused", "masked-diffusion", { lowDiscrepancy: true });
    expect(code, err).toBe(0);
    const said = json();
    const plain = (await evaluate("diffused")).json();
    const both = (await evaluate("diffused", "--objective", "masked-diffusion")).json();
    expect(plain["loss"]).toBeCloseTo(said["evalLoss"] as number, 5);
    expect(plain).not.toHaveProperty(["masked-diffusion.loss"]);
    expect(both["loss"]).toBe(plain["loss"]);
    expect(both["masked-diffusion.loss"]).toBeCloseTo(said["masked-diffusion.loss"] as number, 5);
    expect(
      readMetrics(join(dir, "diffused/metrics.jsonl"))
        .rows.filter(({ type }) => type === "eval")
        .map((row) => typeof row["masked-diffusion.loss"]),
    ).toEqual(["number", "number"]);
  });

  test(
    "adds smoothing and z-loss to what is trained, beside which the cross entropy stands, and leaves them out of " +
      "validation",
    async () => {
      const { code, err, json } = await pretrain("smoothed", "mlm", { labelSmoothing: 0.2, zLoss: 0.01 });
      expect(code, err).toBe(0);
      const [first] = readMetrics(join(dir, "smoothed/metrics.jsonl")).rows;
      const loss = first?.loss ?? 0;
      const plain = Number(first?.["crossEntropy"]);
      // New logits are all 0. The cross entropy is then ln 33, smoothed or not, and the z-loss is ln(33)^2.
      expect(plain).toBeCloseTo(Math.log(33), 3);
      expect(Number(first?.["zLoss"])).toBeCloseTo(Math.log(33) ** 2, 2);
      expect(loss - plain).toBeCloseTo(0.01 * Math.log(33) ** 2, 3);
      expect((await evaluate("smoothed")).json()["loss"]).toBeCloseTo(json()["evalLoss"] as number, 5);
    },
  );
});
