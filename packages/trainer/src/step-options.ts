/**
 * The options that determine the steps of a run. Evaluation, checkpoints and the end of a run have options of their
 * own.
 */
import type { Backend } from "@cloze/backend";
import type { Batches } from "@cloze/data";
import type { HostTensors } from "@cloze/graph";
import type { Weights } from "./model-source.ts";
import type { Stages } from "./stages.ts";
import type { TrainSetup } from "./train-programs.ts";
import type { TrainerState } from "./trainer-state.ts";

export interface StepOptions extends Omit<TrainSetup, "numbered"> {
  readonly backend: Backend;
  /**
   * Micro-batches by number. Each micro-batch is one part of a step: step s takes the numbers from s * accumulate up
   * to, not including, (s + 1) * accumulate.
   */
  readonly batches: Batches;
  /** Micro-batches in one step. */
  readonly accumulate: number;
  /**
   * Changes of batches, number of parts, model and objective during the run. Default: the values of these options, for
   * the whole run.
   */
  readonly stages?: Stages;
  readonly weights: Weights;
  readonly seed: number;
  /** The saved state from which the run continues. Errors name `dir`. */
  readonly resume?: { readonly optimizer: HostTensors; readonly state: TrainerState; readonly dir: string };
}
