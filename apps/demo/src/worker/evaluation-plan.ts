/** When a run evaluates, and what an evaluation takes, counted in steps. */
import type { PaddedBatches } from "@cloze/data";

/** Number of evaluations in a run, and the smallest number of steps between two. */
const EVALUATIONS = 6;
const EVALUATE_EVERY = 25;
/** An evaluation goes forward only: a third of the arithmetic of a training step. */
const FORWARD = 1 / 3;
/** Number of batches from which the number of tokens in all batches is told. */
const LOOKED_AT = 16;

/** Number of steps between two evaluations. One more is at the end of the run. */
export const evaluationEvery = (steps: number): number => Math.max(EVALUATE_EVERY, Math.ceil(steps / EVALUATIONS));

/** Number of evaluations after `step`, that at the end included. */
export function evaluationsAfter(step: number, steps: number): number {
  if (step >= steps) return 0;
  const every = evaluationEvery(steps);
  return Math.ceil(steps / every) - Math.floor(step / every);
}

export interface EvaluationSize {
  /** The arithmetic of an evaluation, in training steps. */
  readonly steps: number;
  /** Tokens of all batches, padding included, from those that were looked at. */
  readonly tokens: number;
  /** Number of programs to compile: one for each shape of batch. */
  readonly shapes: number;
}

/** The size of an evaluation on `valid`, where a step has `stepTokens` tokens, padding included. */
export async function evaluationSize(valid: PaddedBatches | undefined, stepTokens: number): Promise<EvaluationSize> {
  if (valid === undefined || valid.count === 0) return { steps: 0, tokens: 0, shapes: 0 };
  const looked = Math.min(LOOKED_AT, valid.count);
  const shapes = new Set<string>();
  let tokens = 0;
  for (let i = 0; i < looked; i++) {
    const { rows, length } = await valid.batchAt(Math.floor((i * valid.count) / looked));
    tokens += rows * length;
    shapes.add(`${rows} ${length}`);
  }
  const all = (tokens / looked) * valid.count;
  return { steps: (all * FORWARD) / stepTokens, tokens: all, shapes: shapes.size };
}
