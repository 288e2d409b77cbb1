/** Files that lie beside the tensors of a model in the Hub layout. */

/** Those of a tokenizer. */
export const tokenizerFiles: readonly string[] = [
  "tokenizer.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
];
