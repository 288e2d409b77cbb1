/** Amino-acid tokenizers: ESM-2, ProtBert, AMPLIFY, and alphabets of one's own. */
export {
  amplify,
  esm2,
  protbert,
  proteinTokenizer,
  type CustomAlphabet,
  type ProteinTokenizer,
} from "./protein-tokenizer.ts";
export { proteinTokenizerFromFiles } from "./read-alphabet-files.ts";
export type { ProteinAlphabet, ProteinOptions, ProteinPolicy } from "./alphabet.ts";
// What encodeBytes counts with.
export { IssueCounter } from "@cloze/tokenizer";
