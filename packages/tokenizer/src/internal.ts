/**
 * The entry `@cloze/tokenizer/internal`: shared code of the text tokenizers. It fills, frames and cuts encodings, and
 * counts words and merges pairs for training.
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
  vocabularyFault,
  type TokenParts,
} from "./text-vocabulary.ts";
export { compareVocabTxt } from "./compare-vocab-txt.ts";
export { pythonReading, type PythonReading } from "./python-class.ts";
export { isOwn, readTokens, type FileTokens } from "./read-tokens.ts";
export { HASH_PRIME, HASH_SEED, SliceTable, textOfUnits } from "./slice-table.ts";
export { CountTable, hashOf, type WordCounts } from "./word-counts.ts";
export { mergePairs, type MergeOptions, type SymbolRows } from "./merge-pairs.ts";
