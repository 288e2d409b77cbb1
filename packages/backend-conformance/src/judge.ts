/**
 * The verdict on a check of a backend: passed, skipped with a reason, or failed. In a gap, a check that fails is right
 * and a check that passes is an error.
 */
import type { Backend, Probe } from "@cloze/backend";
import { unclaimed, type Check } from "./check.ts";

export interface Gap {
  readonly reason: string;
  /** Full names of checks, or beginnings of names that end before a ` > `. */
  readonly cases: readonly string[];
}

export type NotHere = Extract<Probe, { readonly available: false }>;

/**
 * The result of `create`: a backend. Where the backend cannot run on this machine: undefined, or a probe with the
 * reason.
 */
export type Made = Backend | NotHere | undefined;

export const isBackend = (x: Made): x is Backend => x !== undefined && "compile" in x;

const covers = (gap: string, name: string): boolean => name === gap || name.startsWith(`${gap} > `);

/** Names in gaps that no check has. */
export const unknownGaps = (gaps: readonly Gap[], checks: readonly Check[]): readonly string[] =>
  gaps.flatMap((g) => g.cases).filter((gap) => !checks.some((c) => covers(gap, c.name)));

/**
 * Throws where the check fails, or passes in a gap. Returns the reason where the check did not run. Returns undefined
 * where the check passes, or fails in a gap.
 */
export async function judge(
  check: Check,
  made: Made,
  gaps: readonly Gap[],
  live?: () => number | Promise<number>,
): Promise<string | undefined> {
  if (!isBackend(made)) return made === undefined ? "not on this machine" : `${made.reason} ${made.remedy}`;
  const missing = unclaimed(made, check);
  if (missing.length > 0) return `the backend does not claim ${missing.join(", ")}`;
  if (check.countsBuffers && live === undefined) return "the backend does not say how many buffers are alive";
  const gap = gaps.find((g) => g.cases.some((c) => covers(c, check.name)));
  if (gap === undefined) await check.run(made, live ?? (() => 0));
  else if (
    await check.run(made, live ?? (() => 0)).then(
      () => true,
      () => false,
    )
  )
    throw new Error(`the gap "${check.name}" (${gap.reason}) passes: take it out`);
  return undefined;
}
