/**
 * Sentence-order prediction: are two neighbouring texts in their order, or were they swapped?
 *
 * Rows are pairs `[CLS] A [SEP] B [SEP]` of consecutive texts of one document; half of them are swapped. The model
 * answers at the first token with two logits: column 0 "in order", column 1 "swapped". Both texts have the same topic,
 * so only coherence gives the answer. With mlm (`mlm+sop`) this is ALBERT's pretraining. Source: Lan et al. 2019,
 * arXiv:1909.11942, section 3.1.
 */
import { sentencePairObjective, type Objective, type TokenSet } from "@cloze/objective";

/** Makes the objective. It ignores the tokens and has no options. */
export function sop(_tokens: TokenSet, options: Readonly<Record<string, unknown>> = {}): Objective<"sentence-pair"> {
  return sentencePairObjective("sop", "swapped", options);
}
