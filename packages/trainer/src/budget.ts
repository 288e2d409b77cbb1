/**
 * How long a run is: so many steps, tokens or seconds. How far it has come, and its learning rate, are told in the same
 * unit.
 */
import type { Schedule } from "@cloze/schedule";

export type Until = { readonly steps: number } | { readonly tokens: number } | { readonly seconds: number };

/** What a run has taken. */
export interface Spent {
  readonly steps: number;
  /** Padding not counted. */
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

/** From 0 to 1. */
export function shareOf(until: Until, spent: Spent): number {
  const { spent: done, total } = measured(until, spent);
  return Math.min(1, done / total);
}

/** What the peak rate is multiplied by in a step; `after`: what will have been spent with it. */
export function rateFactor(schedule: Schedule, until: Until, after: Spent): number {
  const { spent, total } = measured(until, after);
  return schedule(spent, total);
}
