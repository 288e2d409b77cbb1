/** Names of the files beside a model's tensors in the Hub layout. */

/** All files that a tokenizer may have. A folder or a repository has some of them. */
export const tokenizerFiles: readonly string[] = [
  "tokenizer.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
];
