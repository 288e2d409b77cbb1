/**
 * The entry `@cloze/tokenizer`: the tokenizer interfaces, batches, and the code that tokenizer packages share (special
 * tokens, counts, Hugging Face files).
 */
export type { ByteTokenizer, SpecialIds, Tokenizer } from "./tokenizer.ts";
export {
  isTextTokenizer,
  type TextEncodeOptions,
  type TextEncoding,
  type TextInput,
  type TextTokenizer,
} from "./text-tokenizer.ts";
export { encodeBatch, type BatchInput, type EncodeBatchOptions, type EncodedBatch } from "./encode-batch.ts";
export type { EncodeOptions, Encoding, EncodingIssues } from "./encoding.ts";
export {
  codePointIndexOf,
  codePointOffsets,
  utf16IndexOf,
  type CodePointIndex,
  type Utf16Index,
  type Utf16Offsets,
} from "./code-point-offsets.ts";
export type { PackedPair, PackedSequence, TokenBatch } from "./batch.ts";
export { CharacterCounts, IssueCounter } from "./issue-counter.ts";
export { sha256 } from "./sha256.ts";
export {
  SPECIAL_ROLES,
  specialIds,
  specialSplitter,
  type SpecialRole,
  type SpecialTokens,
  type TextPart,
} from "./special-tokens.ts";
export {
  readTemplate,
  templateJson,
  templatePieces,
  templateSides,
  type SpecialTemplate,
  type TemplatePiece,
} from "./special-template.ts";
export { frameEncoding, type EncodedBody } from "./frame-encoding.ts";
export { readVocabTxt, writeVocabTxt, type VocabTxtLines } from "./vocab-txt.ts";
export { modelTokens, tokensOfLines, type ModelTokens } from "./model-tokens.ts";
export { addedToken, addedTokenJson, type AddedToken } from "./added-token.ts";
export {
  MODEL_TYPES,
  readTokenizerJson,
  writeTokenizerJson,
  type ModelType,
  type TokenizerJson,
  type TokenizerJsonParts,
} from "./tokenizer-json.ts";
export {
  readSpecialTokensMap,
  readTokenizerConfig,
  writeSpecialTokensMap,
  writeTokenizerConfig,
  type TokenizerConfig,
  type TokenizerConfigParts,
} from "./tokenizer-config.ts";
export { describeJson, isJsonObject, parseJsonObject, type JsonObject, type JsonValue } from "./json-file.ts";
