/**
 * The writer of a WordPiece tokenizer's four files. Python `transformers` reads them and gives equal ids for every
 * text: as BertTokenizer, or where that class cannot say a setting, as PreTrainedTokenizerFast.
 *
 * vocab.txt holds the model's tokens. Added tokens are in tokenizer.json and tokenizer_config.json. Python has no field
 * for the tokenizer's name. The name is under the key "cloze" in tokenizer_config.json, which Python keeps.
 */
import {
  templateJson,
  writeSpecialTokensMap,
  writeTokenizerConfig,
  writeTokenizerJson,
  writeVocabTxt,
} from "@cloze/tokenizer";
import { BERT_SPECIAL, bertTemplate } from "@cloze/tokenizer/internal";
import type { WordPieceConfig } from "./config.ts";

export function wordPieceFiles(config: WordPieceConfig): Readonly<Record<string, string>> {
  const { vocabulary, special, addedTokens, lowercase, prefix } = config;
  const model = vocabulary.slice(0, config.modelSize);
  const ids = new Map(vocabulary.map((token, id) => [token, id]));
  const stripAccents = config.stripAccents ?? null;
  return {
    "tokenizer.json": writeTokenizerJson({
      addedTokens,
      normalizer: {
        type: "BertNormalizer",
        clean_text: config.cleanText,
        handle_chinese_chars: config.chineseCharacters,
        strip_accents: stripAccents,
        lowercase,
      },
      preTokenizer: { type: "BertPreTokenizer" },
      postProcessor: templateJson(config.template, (token) => ids.get(token)),
      decoder: { type: "WordPiece", prefix, cleanup: config.cleanUp !== "none" },
      model: {
        type: "WordPiece",
        unk_token: special.unk_token,
        continuing_subword_prefix: prefix,
        max_input_chars_per_word: config.maxWordLength,
        vocab: Object.fromEntries(model.map((token, id) => [token, id])),
      },
    }),
    "vocab.txt": writeVocabTxt(model),
    "tokenizer_config.json": writeTokenizerConfig({
      tokenizerClass: isBerts(config) ? "BertTokenizer" : "PreTrainedTokenizerFast",
      modelInputNames: config.modelInputNames,
      special,
      addedTokens,
      extra: {
        clean_up_tokenization_spaces: config.cleanUp === "text",
        do_lower_case: lowercase,
        strip_accents: stripAccents,
        tokenize_chinese_chars: config.chineseCharacters,
        ...(config.modelMaxLength === undefined ? {} : { model_max_length: config.modelMaxLength }),
        cloze: { kind: "wordpiece", name: config.name },
      },
    }),
    "special_tokens_map.json": writeSpecialTokensMap(special),
  };
}

/**
 * True where BertTokenizer has all settings. It takes the flags of tokenizer_config.json and nothing of the pipeline in
 * tokenizer.json, and it adds the special tokens that are missing.
 */
function isBerts({ special, template, prefix, maxWordLength, cleanText, cleanUp }: WordPieceConfig): boolean {
  const { single, pair } = bertTemplate(special);
  return (
    Object.keys(BERT_SPECIAL).every((role) => role in special) &&
    template.single === single &&
    template.pair === pair &&
    prefix === "##" &&
    maxWordLength === 100 &&
    cleanText &&
    cleanUp !== "none"
  );
}
