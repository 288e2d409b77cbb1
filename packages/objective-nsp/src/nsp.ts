/**
 * Next-sentence prediction: did the second text follow the first, or was it taken from another document?
 *
 * Rows are pairs `[CLS] A [SEP] B [SEP]`; in half of them B is random. The model answers on the first token with two
 * logits: column 0 "is next", column 1 "is not", as in BERT. With mlm (`mlm+nsp`) it is BERT's pretraining; later work
 * did without (RoBERTa) or took the order of sentences instead (`@cloze/objective-sop`): topic alone tells most random
 * texts. Source: Devlin et al. 2018, arXiv:1810.04805, section 3.1, task 2.
 */
import { sentencePairObjective, type Objective, type TokenSet } from "@cloze/objective";

/** Tokens do not matter to it, and it takes no options. */
export function nsp(_tokens: TokenSet, options: Readonly<Record<string, unknown>> = {}): Objective<"sentence-pair"> {
  return sentencePairObjective("nsp", "random", options);
}
