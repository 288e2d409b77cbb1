/**
 * What the tokenizers of text share among themselves: filling, framing and cutting of encodings, and counts and merges
 * for training.
 */
export { Body, grown } from "./body.ts";
export { TextFramer, type FillBody } from "./frame-texts.ts";
export { addedTokenSplitter, type Part } from "./added-tokens.ts";
export {
  BERT_SPECIAL,
  bertTemplate,
  checkTokens,
  completeTokens,
  inOrder,
  readSpecialTokens,
  vocabularyFault,
  type TokenParts,
} from "./text-vocabulary.ts";
export { HASH_PRIME, HASH_SEED, SliceTable, textOfUnits } from "./slice-table.ts";
export { CountTable, hashOf, type WordCounts } from "./word-counts.ts";
export { mergePairs, type MergeOptions, type SymbolRows } from "./merge-pairs.ts";
