/**
 * The length of a run, in steps, tokens or seconds. The progress of the run and its learning rate use the same unit.
 */
import type { Schedule } from "@cloze/schedule";

export type Until = { readonly steps: number } | { readonly tokens: number } | { readonly seconds: number };

/** The steps, tokens and seconds that a run has used so far. */
export interface Spent {
  readonly steps: number;
  /** Without padding. */
  readonly tokens: number;
  readonly seconds: number;
}

function measured(until: Until, spent: Spent): { readonly spent: number; readonly total: number } {
  if ("steps" in until) return { spent: spent.steps, total: until.steps };
  return "tokens" in until
    ? { spent: spent.tokens, total: until.tokens }
    : { spent: spent.seconds, total: until.seconds };
}

export function isSpent(until: Until, spent: Spent): boolean {
  const { spent: done, total } = measured(until, spent);
  return done >= total;
}

/** The fraction of the run that is done, from 0 to 1. */
export function shareOf(until: Until, spent: Spent): number {
  const { spent: done, total } = measured(until, spent);
  return Math.min(1, done / total);
}

/** The factor of the peak learning rate in a step. `after`: the totals at the end of that step. */
export function rateFactor(schedule: Schedule, until: Until, after: Spent): number {
  const { spent, total } = measured(until, after);
  return schedule(spent, total);
}
