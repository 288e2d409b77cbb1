/**
 * Writer of report.html for a fine-tuning run: the report of a training run, with the figure that chooses the
 * checkpoint.
 */
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { FineTuned, FineTuneSettings } from "@cloze/tasks/node";
import { formatCount, formatDuration, formatInteger, readMetrics, renderReport } from "@cloze/trainer";
import { byFlagName } from "./options.ts";
import { verdict, verdictEntry } from "./verdict.ts";

export interface FinetuneReport {
  /** Folder of the run. The report is written there. */
  readonly run: string;
  /** The name of the checkpoint where the run started. */
  readonly from: string;
  readonly examples: number;
  readonly options: Readonly<Record<string, unknown>>;
  /** The figure that chose the checkpoint, if it is not the task's own. */
  readonly metric?: FineTuneSettings["metric"];
  readonly tuned: FineTuned;
  /** The share of the most frequent label among the validation examples. */
  readonly majority: number | undefined;
}

/** Writes report.html and returns the verdict on the run, in sentences. */
export async function writeFinetuneReport({
  run,
  from,
  examples,
  options,
  metric,
  tuned,
  majority,
}: FinetuneReport): Promise<readonly string[]> {
  const {
    task: { kind, best, labels },
    result,
    figures,
    checkpoint,
  } = tuned;
  const { rows } = readMetrics(join(run, "metrics.jsonl"));
  const sentences = verdict({ of: { task: kind }, rows, figures, majority, bestStep: result.best?.step });
  const summary = {
    from,
    task: kind,
    ...(labels.length > 0 && { labels: labels.join(", ") }),
    examples: formatInteger(examples),
    parameters: formatInteger(result.parameters),
    steps: formatInteger(result.steps),
    ...Object.fromEntries(Object.entries(figures ?? {}).map(([name, value]) => [name, value.toFixed(4)])),
    "tokens per second": formatCount(result.tokensPerSecond),
    "training time": formatDuration(result.seconds),
    ...verdictEntry(sentences),
    checkpoint: relative(run, checkpoint ?? result.checkpoint),
  };
  await writeFile(
    join(run, "report.html"),
    renderReport({
      title: `${from} · ${kind}`,
      config: byFlagName(options),
      rows,
      summary,
      lossUnit: kind === "regression" ? "squared error" : "nats per answer",
      figures: [metric ?? best],
    }),
  );
  return sentences;
}
