/** The types of the package shuffle-detection. */
import type { ObjectiveMaker } from "@cloze/objective";

/** A share `rate` (default 0.15) of the tokens trades places; the model says of every token whether it was moved. */
export declare const objective: ObjectiveMaker<"token-classification">;
