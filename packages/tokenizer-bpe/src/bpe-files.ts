/**
 * The writer of a byte-level BPE tokenizer's files. Python `transformers` reads them and gives equal ids for every
 * text.
 *
 * Python has no field for the tokenizer's name. The name is under the key "cloze" in tokenizer_config.json, which
 * Python keeps.
 */
import {
  templateJson,
  writeSpecialTokensMap,
  writeTokenizerConfig,
  writeTokenizerJson,
  type JsonObject,
} from "@cloze/tokenizer";
import type { BpeConfig } from "./config.ts";

export function bpeFiles(config: BpeConfig): Readonly<Record<string, string>> {
  const { vocabulary, special, addedTokens, addPrefixSpace, trimOffsets } = config;
  const ids = new Map(vocabulary.map((token, id) => [token, id]));
  const template = templateJson(config.template, (token) => ids.get(token));
  const byteLevel = (add: boolean, trim: boolean): JsonObject => ({
    type: "ByteLevel",
    add_prefix_space: add,
    trim_offsets: trim,
    use_regex: config.useRegex,
  });
  return {
    "tokenizer.json": writeTokenizerJson({
      addedTokens,
      normalizer: config.normalizer === "nfc" ? { type: "NFC" } : null,
      preTokenizer: byteLevel(addPrefixSpace, true),
      postProcessor:
        trimOffsets === "none"
          ? template
          : { type: "Sequence", processors: [byteLevel(trimOffsets === "spaces-but-prefix", true), template] },
      decoder: byteLevel(addPrefixSpace, true),
      model: {
        type: "BPE",
        dropout: null,
        unk_token: config.unknownByte ?? null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: config.ignoreMerges,
        vocab: Object.fromEntries(vocabulary.slice(0, config.modelSize).map((token, id) => [token, id])),
        merges: config.merges,
      },
    }),
    "tokenizer_config.json": writeTokenizerConfig({
      tokenizerClass: "PreTrainedTokenizerFast",
      modelInputNames: config.modelInputNames,
      special,
      addedTokens,
      extra: {
        ...(config.modelMaxLength === undefined ? {} : { model_max_length: config.modelMaxLength }),
        cloze: { kind: "bpe", name: config.name },
      },
    }),
    "special_tokens_map.json": writeSpecialTokensMap(special),
  };
}
