/**
 * The entry `@cloze/tokenizer-wordpiece/train`: the training of a vocabulary on texts in memory.
 * `@cloze/tokenizer-wordpiece/node` counts the words of files, on threads.
 */
export { trainVocabulary, DEFAULT_SPECIAL_TOKENS, type VocabularyOptions } from "./train-vocabulary.ts";
export { WordCounter, type CountParts, type WordOptions } from "./word-counts.ts";
export type { WordCounts } from "@cloze/tokenizer/internal";
