/** trainer_state.json: where a run is, beside the weights and the optimizer's state. */
import type { LossScale } from "@cloze/optim";
import type { BestSoFar } from "./best.ts";
import type { Stage } from "./stages.ts";

/**
 * What a resumed run continues from; all of it but `elapsedSeconds` is a function of the configuration and the seed.
 */
export interface TrainerState {
  readonly version: 1;
  /** Optimizer steps done. */
  readonly step: number;
  /** Tokens consumed, padding not counted. */
  readonly tokens: number;
  /** Parts of steps taken from the data. A state without it is of steps of one number of parts. */
  readonly parts?: number;
  /** The values of the last step's stage, in a run of several. */
  readonly stage?: Stage["values"];
  readonly seed: number;
  readonly objective: string;
  readonly optimizer: string;
  /** What contractions were computed in; a state without it is of f32. */
  readonly compute?: "f32" | "f16" | "bf16";
  /** With compute f16, the loss scales of the next two steps. */
  readonly lossScale?: readonly LossScale[];
  /** Training time so far, over all resumes. */
  readonly elapsedSeconds: number;
  readonly evalLoss?: number;
  /** Where the run keeps its best checkpoint. */
  readonly best?: BestSoFar;
}
