/**
 * Averages of the parameters, where the optimizer keeps them (`ema` of @cloze/optim). This file reads the averages from
 * the device, evaluates them, and names the folder that holds them inside a checkpoint.
 */
import type { Backend, Session } from "@cloze/backend";
import type { HostTensor, HostTensors } from "@cloze/graph";
import type { Optimizer } from "@cloze/optim";
import type { Evaluation, EvaluationNumbers } from "./evaluate.ts";
import type { Weights } from "./model-source.ts";
import type { Stage } from "./stages.ts";

/** The folder of the averages inside a checkpoint, in the Hub layout like the checkpoint itself. */
export const AVERAGES_FOLDER = "ema";

/** The averages of a new run: equal to the parameters. Empty where the optimizer keeps no averages. */
export function firstAverages({ averageOf }: Optimizer, weights: Weights): HostTensors {
  return averageOf === undefined
    ? {}
    : Object.fromEntries(Object.entries(weights).map(([name, value]) => [averageOf(name), value]));
}

/**
 * All weights of a checkpoint, with the average in place of each trained parameter. Undefined where the optimizer keeps
 * no averages.
 */
export async function readAverages(
  session: Session,
  { averageOf }: Optimizer,
  weights: Weights,
  trained: readonly string[],
): Promise<Weights | undefined> {
  if (averageOf === undefined) return undefined;
  const state = await session.read(trained.map((name) => averageOf(name)));
  return { ...weights, ...Object.fromEntries(trained.map((name) => [name, state[averageOf(name)] as HostTensor])) };
}

/**
 * Evaluates the averages and returns the figures as `ema.<figure>`. Needs the memory of the parameters a second time
 * while the evaluation runs.
 */
export async function evaluateAverages(
  backend: Backend,
  evaluator: Evaluation,
  averages: Weights,
  source: Stage["source"],
): Promise<Readonly<Record<string, number>>> {
  const session = await backend.start(averages);
  try {
    const figures: EvaluationNumbers = await evaluator.run(session, undefined, source);
    // The number of predicted tokens is the same for the parameters and the averages.
    return Object.fromEntries(
      Object.entries(figures).flatMap(([name, value]) => (name === "tokens" ? [] : [[`ema.${name}`, value]])),
    );
  } finally {
    await session.dispose();
  }
}
