/** trainer_state.json: the position of a run, saved with the weights and the optimizer's state. */
import type { LossScale } from "@cloze/optim";
import type { BestSoFar } from "./best.ts";
import type { Stage } from "./stages.ts";

export type Draws = "row" | "part";

/**
 * The state from which a resumed run continues. Every field except `elapsedSeconds` is a function of the configuration
 * and the seed.
 */
export interface TrainerState {
  readonly version: 1;
  /** Optimizer steps done. */
  readonly step: number;
  /** Tokens consumed, padding not counted. */
  readonly tokens: number;
  /**
   * Number of parts taken from the data. A state without this field belongs to a run in which every step has the same
   * number of parts.
   */
  readonly parts?: number;
  /** The values of the last step's stage, in a run with several stages. */
  readonly stage?: Stage["values"];
  readonly seed: number;
  readonly objective: string;
  readonly optimizer: string;
  /**
   * The key of dropout: one for each row of a step, or one for each part, as runs had it whose state lacks this field.
   */
  readonly draws: Draws;
  /** The dtype of contractions. A state without this field used f32. */
  readonly compute?: "f32" | "f16" | "bf16";
  /** With compute f16, the loss scales of the next two steps. */
  readonly lossScale?: readonly LossScale[];
  /** Training time so far, over all resumes. */
  readonly elapsedSeconds: number;
  readonly evalLoss?: number;
  /** The best evaluation so far; its step names the checkpoint. */
  readonly best?: BestSoFar;
}
