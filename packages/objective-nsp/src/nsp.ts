/**
 * Next-sentence prediction: did the second text follow the first, or does it come from another document?
 *
 * Rows are pairs `[CLS] A [SEP] B [SEP]`; in half of them B is random. The model answers at the first token with two
 * logits: column 0 "is next", column 1 "is not", as in BERT. With mlm (`mlm+nsp`) this is BERT's pretraining. Later
 * work left it out (RoBERTa) or used the order of sentences instead (`@cloze/objective-sop`), because the topic alone
 * reveals most random texts. Source: Devlin et al. 2018, arXiv:1810.04805, section 3.1, task 2.
 */
import { sentencePairObjective, type Objective, type TokenSet } from "@cloze/objective";

/** Makes the objective. It ignores the tokens and has no options. */
export function nsp(_tokens: TokenSet, options: Readonly<Record<string, unknown>> = {}): Objective<"sentence-pair"> {
  return sentencePairObjective("nsp", "random", options);
}
