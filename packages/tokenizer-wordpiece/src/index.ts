/** BERT's tokenizer: from a vocabulary, from files, and its parts as data. */
export { withTokens, wordPiece, type WordPieceTokenizer } from "./wordpiece-tokenizer.ts";
export { wordPieceFromFiles } from "./read-wordpiece-files.ts";
export { BERT_SPECIAL, bertTemplate } from "@cloze/tokenizer/internal";
export type { CleanUp, WordPieceConfig, WordPieceOptions } from "./config.ts";
