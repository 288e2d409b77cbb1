/**
 * The best checkpoint of a run, by a metric of its evaluations, and when to give up waiting for a better one.
 *
 * What is known of it is plain data in the trainer's state, so that a resumed run keeps and stops as one that was never
 * interrupted.
 */
import { ConfigError } from "@cloze/errors";
import type { EvaluationNumbers } from "./evaluate.ts";

export interface BestRule {
  /** A name that the evaluation gives. */
  readonly metric: string;
  readonly better: "higher" | "lower";
  /** Evaluations without a better one after which the run ends. Default: it goes on. */
  readonly patience?: number;
}

export interface BestSoFar {
  readonly metric: string;
  readonly value: number;
  readonly step: number;
  /** Evaluations since then. */
  readonly waited: number;
  /** Step of the last evaluation that was judged. */
  readonly judgedAt: number;
}

export interface BestCheckpoint extends Pick<BestSoFar, "metric" | "value" | "step"> {
  readonly checkpoint: string;
}

/** What an evaluation at `step` makes of the best so far. A value that is not a number is never better. */
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

/** Refuses to go on with a best that another metric chose. */
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

export const isOver = (rule: BestRule | undefined, best: BestSoFar | undefined): boolean =>
  rule?.patience !== undefined && best !== undefined && best.waited >= rule.patience;
