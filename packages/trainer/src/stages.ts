/**
 * Stages: what cannot change by little while a run goes on, because it is the shape or the making of a graph. The rows,
 * how many parts make a step, the model (its window, its rotary base) and the objective; parameters and the optimizer's
 * state go on.
 *
 * A stage is a function of the progress, and the parts taken so far are counted, so that a resumed run goes on as it
 * would have. Programs belong to a model, an objective and a shape of feeds: a stage that shares them with another one
 * compiles nothing.
 */
import { ConfigError } from "@cloze/errors";
import type { Batches } from "@cloze/data";
import type { Progress } from "@cloze/schedule";
import type { TrainSetup } from "./train-programs.ts";

export interface Stage extends Pick<TrainSetup, "source" | "objective"> {
  /** Parts by number: each stage goes on with the number after the last part of the one before. */
  readonly batches: Batches;
  /** Parts in one step. */
  readonly accumulate: number;
  /**
   * By which it is known and told in the record, such as `{ window: 128, maxLength: 512 }`. No two stages have the
   * same.
   */
  readonly values: Readonly<Record<string, number | string>>;
}

export interface Stages {
  /** All there may be: their state is there from the start. */
  readonly all: readonly Stage[];
  /** One of them, in force for the step that begins. */
  at(progress: Progress): Stage;
}

/** The stages of a run, or the only one of a run without. */
export function stagesOf({
  stages,
  source,
  objective,
  batches,
  accumulate,
}: Omit<Stage, "values"> & { readonly stages?: Stages | undefined }): Stages {
  if (stages === undefined) {
    const only: Stage = { source, objective, batches, accumulate, values: {} };
    return { all: [only], at: () => only };
  }
  const other = stages.all.find((stage) => stage.objective.requires !== objective.requires);
  if (other !== undefined)
    throw new ConfigError(
      `stages: expected objectives that require the same of the model, got ${objective.name} for ` +
        `${String(objective.requires)} and ${other.objective.name} for ${String(other.objective.requires)}. Train ` +
        "in two runs, the second with --from.",
    );
  const known = new Set(stages.all);
  return {
    all: stages.all,
    at(progress) {
      const stage = stages.at(progress);
      if (!known.has(stage))
        throw new RangeError(`stages: expected at() to give one of all, got another one at step ${progress.step}`);
      return stage;
    },
  };
}

/** Stages are told apart by it, in a record and a saved state. */
export const nameOfStage = (values: Stage["values"] | undefined): string => JSON.stringify(values ?? {});
