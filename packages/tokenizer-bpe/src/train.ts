/** The entry `@cloze/tokenizer-bpe/train`: the training of merges and their vocabulary on texts in memory. */
export { trainMerges, DEFAULT_SPECIAL_TOKENS, type MergeTrainingOptions, type TrainedMerges } from "./train-merges.ts";
export { WordCounter, type WordOptions } from "./word-counter.ts";
export type { WordCounts } from "@cloze/tokenizer/internal";
