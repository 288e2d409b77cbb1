/** The tokenizer interface, its batches and its Hugging Face files. */
export type { SpecialIds, Tokenizer } from "./tokenizer.ts";
export type { EncodeOptions, Encoding, EncodingIssues } from "./encoding.ts";
export type { PackedSequence, TokenBatch } from "./batch.ts";
