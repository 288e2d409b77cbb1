/** The entry `@cloze/tokenizer-protein`: amino-acid tokenizers for ESM-2, ProtBert, AMPLIFY and custom alphabets. */
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
// encodeBytes takes a counter of this class.
export { IssueCounter } from "@cloze/tokenizer";
