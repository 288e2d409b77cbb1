/** The entry `@cloze/tokenizer-wordpiece`: BERT's tokenizer, made from a vocabulary or from files. */
export { withTokens, wordPiece, type WordPieceTokenizer } from "./wordpiece-tokenizer.ts";
export { wordPieceFromFiles } from "./read-wordpiece-files.ts";
export { BERT_SPECIAL, bertTemplate } from "@cloze/tokenizer/internal";
export type { CleanUp, WordPieceConfig, WordPieceOptions } from "./config.ts";
