/** What steps are made of; how a run is evaluated, saved and ended is no matter to them. */
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
   * Micro-batches by number, the parts of steps: step s takes those from s * accumulate to before (s + 1) * accumulate.
   */
  readonly batches: Batches;
  /** Micro-batches in one step. */
  readonly accumulate: number;
  /** Other batches, numbers of parts, models and objectives as the run goes on. Default: those named here all along. */
  readonly stages?: Stages;
  readonly weights: Weights;
  readonly seed: number;
  /** What the run goes on from; `dir` is named in errors. */
  readonly resume?: { readonly optimizer: HostTensors; readonly state: TrainerState; readonly dir: string };
}
