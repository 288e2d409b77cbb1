/**
 * The stages of a run. A stage fixes the settings that shape a graph, which cannot change gradually: the rows, the
 * number of parts in a step, the model (its window, its rotary base) and the objective. Parameters and optimizer state
 * carry over from stage to stage.
 *
 * A stage is a function of the progress, and the run counts the parts it has taken. So a resumed run continues with the
 * same stage and the same part. A program belongs to one model, one objective and one shape of feeds. A stage compiles
 * nothing if an earlier stage has the same three.
 */
import { ConfigError } from "@cloze/errors";
import type { Batches } from "@cloze/data";
import type { Progress } from "@cloze/schedule";
import type { TrainSetup } from "./train-programs.ts";

export interface Stage extends Pick<TrainSetup, "source" | "objective"> {
  /** Parts by number. Each stage starts with the number after the last part of the previous stage. */
  readonly batches: Batches;
  /** Parts in one step. */
  readonly accumulate: number;
  /**
   * The values that identify the stage in the record, such as `{ window: 128, maxLength: 512 }`. No two stages have the
   * same values.
   */
  readonly values: Readonly<Record<string, number | string>>;
}

export interface Stages {
  /** All stages of the run. The session holds the state of all stages from the start. */
  readonly all: readonly Stage[];
  /** The stage for the next step: one of `all`. */
  at(progress: Progress): Stage;
}

/**
 * The stages of a run. A run without `stages` has exactly one stage. Throws ConfigError if the objectives of two stages
 * require different model parts.
 */
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

/** The identity of a stage in a record and in a saved state. */
export const nameOfStage = (values: Stage["values"] | undefined): string => JSON.stringify(values ?? {});
