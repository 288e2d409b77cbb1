/** The words of a finished pretraining run: the summary on the terminal, and report.html. */
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import {
  checkpointsFolder,
  formatBytes,
  formatCount,
  formatDuration,
  formatInteger,
  readMetrics,
  renderReport,
  type ModelSource,
  type TrainResult,
} from "@cloze/trainer";
import { furtherMetrics } from "./further-metrics.ts";
import { byFlagName } from "./options.ts";
import type { PretrainOptions } from "./pretrain.ts";
import type { CostLines } from "./run-costs.ts";
import { verdict, verdictEntry } from "./verdict.ts";

/** Largest resident memory of this process so far. */
export const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

export function summary(
  { steps, tokens, trainLoss, evaluation, tokensPerSecond, seconds }: TrainResult,
  unigramEntropy: number | undefined,
  costs: CostLines,
  run: string,
  checkpoint: string,
  sentences: readonly string[],
): string[] {
  const floor =
    unigramEntropy === undefined ? "" : `, unigram entropy of the same residues ${unigramEntropy.toFixed(4)}`;
  return [
    `${formatInteger(steps)} steps, ${formatCount(tokens)} tokens in ${formatDuration(seconds)}, ` +
      `${formatCount(tokensPerSecond)} tokens/s, peak memory ${formatBytes(peakBytes())}`,
    ...(trainLoss === undefined ? [] : [`training loss    ${trainLoss.toFixed(4)}`]),
    ...(evaluation === undefined
      ? []
      : [
          `validation loss  ${evaluation.loss.toFixed(4)} (perplexity ${evaluation.perplexity.toFixed(2)}, ` +
            `accuracy ${(evaluation.accuracy * 100).toFixed(1)} %)${floor}`,
          ...furtherMetrics(evaluation).map(([name, shown]) => `${name.padEnd(16)} ${shown}`),
        ]),
    ...costs.map(([name, shown]) => `${name.padEnd(16)} ${shown}`),
    ...sentences.map((sentence, i) => `${(i === 0 ? "verdict" : "").padEnd(16)} ${sentence}`),
    `report           ${join(run, "report.html")}`,
    `checkpoint       ${checkpoint}`,
  ];
}

/** Writes report.html and returns the verdict on the run, in sentences. */
export async function writeReport(
  run: string,
  source: Pick<ModelSource, "name">,
  options: PretrainOptions,
  result: TrainResult,
  unigramEntropy: number | undefined,
  costs: CostLines,
): Promise<readonly string[]> {
  const { rows } = readMetrics(join(run, "metrics.jsonl"));
  const sentences = verdict({ of: { objective: options.objective }, rows, unigramEntropy });
  const { evaluation } = result;
  const summary = {
    model: source.name,
    parameters: formatInteger(result.parameters),
    steps: formatInteger(result.steps),
    tokens: formatInteger(result.tokens),
    ...(evaluation === undefined
      ? {}
      : {
          "validation loss": evaluation.loss.toFixed(4),
          perplexity: evaluation.perplexity.toFixed(2),
          accuracy: `${(evaluation.accuracy * 100).toFixed(1)} %`,
          MCC: evaluation.mcc.toFixed(3),
          ...Object.fromEntries(furtherMetrics(evaluation)),
        }),
    "tokens per second": formatCount(result.tokensPerSecond),
    "training time": formatDuration(result.seconds),
    ...Object.fromEntries(costs),
    ...verdictEntry(sentences),
    checkpoint: relative(run, result.checkpoint) || checkpointsFolder(run),
  };
  await writeFile(
    join(run, "report.html"),
    renderReport({
      title: `${source.name} · ${options.objective}`,
      config: byFlagName(options),
      rows,
      summary,
      ...(unigramEntropy === undefined ? {} : { unigramEntropy }),
    }),
  );
  return sentences;
}
