/** Training a vocabulary from texts in memory. From files, on threads: `@cloze/tokenizer-wordpiece/node`. */
export { trainVocabulary, DEFAULT_SPECIAL_TOKENS, type VocabularyOptions } from "./train-vocabulary.ts";
export { WordCounter, type CountParts, type WordOptions } from "./word-counts.ts";
export type { WordCounts } from "@cloze/tokenizer/internal";
