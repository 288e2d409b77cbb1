/** The types of the package my-objective. */
import type { ObjectiveMaker } from "@cloze/objective";

/** Hides `count` tokens (default 2) of each sequence behind the mask token, and the model predicts them. */
export declare const objective: ObjectiveMaker<"masked-lm">;
