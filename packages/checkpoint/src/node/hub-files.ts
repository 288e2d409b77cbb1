/** Names of the files beside a model's tensors in the Hub layout. */

/** Files of a tokenizer. */
export const tokenizerFiles: readonly string[] = [
  "tokenizer.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
];
