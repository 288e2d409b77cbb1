/** The progress of a pretraining run: one line that is redrawn, and a new line for each validation and each stage. */
import { formatInteger, type ProgressWriter, type TrainEvent, type Until } from "@cloze/trainer";
import { furtherMetrics } from "./further-metrics.ts";
import type { longRunLine } from "./long-run.ts";
import { toldIn } from "./run-stages.ts";

function evaluationInWords(row: Extract<TrainEvent, { kind: "row" }>["row"]): string {
  const accuracy = `accuracy ${(Number(row["accuracy"]) * 100).toFixed(1)} %`;
  const further = furtherMetrics(row).map(([name, shown]) => `, ${name} ${shown}`);
  return `validation loss ${row.loss.toFixed(4)}, ${accuracy}${further.join("")}`;
}

/** `longRun` returns the line about a run that takes long. A run with a time budget is as long as the user said. */
export function showProgress(
  progress: ProgressWriter,
  until: Until,
  longRun: ReturnType<typeof longRunLine>,
): (event: TrainEvent) => void {
  let steps = 0;
  const started = performance.now();
  let firstFraction: number | undefined;
  return (event) => {
    if (event.kind !== "row") return;
    const { row, fraction } = event;
    if (row.type === "eval") return progress.print(`step ${formatInteger(row.step)}: ${evaluationInWords(row)}`);
    const stage = toldIn(row);
    if (stage !== "") progress.print(`step ${formatInteger(row.step)}: ${stage}`);
    firstFraction ??= fraction;
    const gone = (performance.now() - started) / 1000;
    const made = fraction - firstFraction;
    const remaining = made > 0 ? (gone * (1 - fraction)) / made : undefined;
    const line = remaining === undefined || "seconds" in until ? undefined : longRun(++steps, remaining);
    if (line !== undefined) progress.print(line);
    progress.update({
      step: row.step,
      fraction,
      loss: row.loss,
      tokensPerSecond: row.time?.tokensPerSecond ?? 0,
      ...("steps" in until ? { steps: until.steps } : {}),
      ...(remaining === undefined ? {} : { remaining }),
    });
  };
}
