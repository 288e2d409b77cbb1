/** The entry `@cloze/tokenizer-bpe`: byte-level BPE tokenizers, made from a vocabulary and merges or from files. */
export { bpe, type BpeTokenizer } from "./bpe-tokenizer.ts";
export { bpeFromFiles } from "./read-bpe-files.ts";
export type { BpeConfig, BpeOptions, Merge } from "./config.ts";
export { splitWords } from "./split-words.ts";
