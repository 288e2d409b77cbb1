/**
 * The best checkpoint of a run, judged by a metric of its evaluations, and the rule that ends a run early.
 *
 * The trainer's state holds the result so far as plain data. So a resumed run keeps the same checkpoint and stops at
 * the same step as a run without interruption.
 */
import { ConfigError } from "@cloze/errors";
import type { EvaluationNumbers } from "./evaluate.ts";

export interface BestRule {
  /** The name of one of the evaluation's figures. */
  readonly metric: string;
  readonly better: "higher" | "lower";
  /** The run ends after this many evaluations without a better value. Default: the run goes on. */
  readonly patience?: number;
}

export interface BestSoFar {
  readonly metric: string;
  readonly value: number;
  readonly step: number;
  /** Number of evaluations since `step`. */
  readonly waited: number;
  /** Step of the last evaluation that `judge` has seen. */
  readonly judgedAt: number;
}

export interface BestCheckpoint extends Pick<BestSoFar, "metric" | "value" | "step"> {
  readonly checkpoint: string;
}

/**
 * The best so far after an evaluation at `step`. NaN is never better than a number. Throws ConfigError if the
 * evaluation has no such metric.
 */
export function judge(
  rule: BestRule,
  before: BestSoFar | undefined,
  step: number,
  evaluation: EvaluationNumbers,
): BestSoFar {
  if (before !== undefined && before.judgedAt >= step) return before;
  const value = evaluation[rule.metric];
  if (value === undefined)
    throw new ConfigError(
      `best checkpoint: expected a metric of the evaluation (${Object.keys(evaluation).join(", ")}), got ` +
        `"${rule.metric}".`,
    );
  const isBetter = (than: number): boolean =>
    Number.isNaN(than) ? !Number.isNaN(value) : rule.better === "higher" ? value > than : value < than;
  const better = before === undefined || isBetter(before.value);
  return better
    ? { metric: rule.metric, value, step, waited: 0, judgedAt: step }
    : { ...before, waited: before.waited + 1, judgedAt: step };
}

/** The best so far of a resumed run. Throws ConfigError if another metric chose that best. */
export function resumedBest(
  rule: BestRule | undefined,
  saved: BestSoFar | undefined,
  dir: string,
): BestSoFar | undefined {
  if (rule === undefined || saved === undefined) return undefined;
  if (saved.metric !== rule.metric)
    throw new ConfigError(
      `resume from ${dir}: its best checkpoint was chosen by ${saved.metric}, this run says ${rule.metric}. Use ` +
        "the same.",
    );
  return saved;
}

/** Whether `patience` evaluations have passed without a better value. */
export const isOver = (rule: BestRule | undefined, best: BestSoFar | undefined): boolean =>
  rule?.patience !== undefined && best !== undefined && best.waited >= rule.patience;
