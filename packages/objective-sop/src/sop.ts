/**
 * Sentence-order prediction: do two neighbouring texts stand in their order, or were they swapped?
 *
 * Rows are pairs `[CLS] A [SEP] B [SEP]` of consecutive texts of one document; half of them are swapped. The model
 * answers on the first token with two logits: column 0 "in order", column 1 "swapped". Both texts have one topic, so
 * that only coherence tells. With mlm (`mlm+sop`) it is ALBERT's pretraining. Source: Lan et al. 2019,
 * arXiv:1909.11942, section 3.1.
 */
import { sentencePairObjective, type Objective, type TokenSet } from "@cloze/objective";

/** Tokens do not matter to it, and it takes no options. */
export function sop(_tokens: TokenSet, options: Readonly<Record<string, unknown>> = {}): Objective<"sentence-pair"> {
  return sentencePairObjective("sop", "swapped", options);
}
