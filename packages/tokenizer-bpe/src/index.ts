/** Byte-level BPE: from a vocabulary and merges, from files, and its parts as data. */
export { bpe, type BpeTokenizer } from "./bpe-tokenizer.ts";
export { bpeFromFiles } from "./read-bpe-files.ts";
export type { BpeConfig, BpeOptions, Merge } from "./config.ts";
export { splitWords } from "./split-words.ts";
