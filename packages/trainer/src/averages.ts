/**
 * Averages of the parameters that an optimizer keeps beside them (`ema` of @cloze/optim): read from the device, judged
 * as the parameters are, and saved in a folder of their own inside the checkpoint.
 */
import type { Backend, Session } from "@cloze/backend";
import type { HostTensor, HostTensors } from "@cloze/graph";
import type { Optimizer } from "@cloze/optim";
import type { Evaluation, EvaluationNumbers } from "./evaluate.ts";
import type { Weights } from "./model-source.ts";
import type { Stage } from "./stages.ts";

/** The folder of a checkpoint that holds them, in the Hub layout as the checkpoint itself. */
export const AVERAGES_FOLDER = "ema";

/** What the averages of a new run are: the parameters. Nothing where the optimizer keeps none. */
export function firstAverages({ averageOf }: Optimizer, weights: Weights): HostTensors {
  return averageOf === undefined
    ? {}
    : Object.fromEntries(Object.entries(weights).map(([name, value]) => [averageOf(name), value]));
}

/** All weights of a checkpoint, those that are trained as their averages; undefined where the optimizer keeps none. */
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
 * The figures of an evaluation of the averages, as `ema.<figure>`. Takes the memory of the parameters once more while
 * it runs.
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
    // How many tokens were predicted is the same for both.
    return Object.fromEntries(
      Object.entries(figures).flatMap(([name, value]) => (name === "tokens" ? [] : [[`ema.${name}`, value]])),
    );
  } finally {
    await session.dispose();
  }
}
