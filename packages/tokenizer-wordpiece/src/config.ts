/** The config of a WordPiece tokenizer, as plain data. The defaults are BERT's. */
import type { AddedToken, SpecialTemplate, SpecialTokens } from "@cloze/tokenizer";
import { BERT_SPECIAL, bertTemplate, checkTokens, completeTokens, inOrder } from "@cloze/tokenizer/internal";

/**
 * The spaces that `decode` removes.
 * "tokens": before a full stop, a comma, ? and !, as the decoder of Python `tokenizers`.
 * "text": also in `isn ' t` and similar texts, as `transformers` with clean_up_tokenization_spaces.
 * "none": no spaces.
 */
export type CleanUp = "none" | "tokens" | "text";

export interface WordPieceConfig {
  readonly name: string;
  /** Token strings; the index is the id. First the tokens of the model, then tokens that were added later. */
  readonly vocabulary: readonly string[];
  /** Number of tokens of the model. Tokens from this id on are added tokens: no word matches them. */
  readonly modelSize: number;
  readonly special: SpecialTokens;
  readonly template: SpecialTemplate;
  /** Tokens that are found whole in a text, with the special tokens. */
  readonly addedTokens: readonly AddedToken[];
  readonly lowercase: boolean;
  /** Default: as `lowercase`. */
  readonly stripAccents?: boolean;
  /** Put spaces around each Chinese character, so that each is a word. */
  readonly chineseCharacters: boolean;
  /** Drop control characters, and replace all white space with spaces. */
  readonly cleanText: boolean;
  /** First characters of a piece inside a word. */
  readonly prefix: string;
  /** Longest word in characters. A longer word is unknown. */
  readonly maxWordLength: number;
  readonly cleanUp: CleanUp;
  /** Longest input of the tokenizer's model, in tokens. Kept for the files; `encode` does not enforce it. */
  readonly modelMaxLength?: number;
  readonly modelInputNames: readonly string[];
}

/** Options of `wordPiece`: a vocabulary, and all settings that differ from BERT's. */
export type WordPieceOptions = Partial<Omit<WordPieceConfig, "vocabulary" | "special">> & {
  readonly vocabulary: readonly string[];
  readonly special?: SpecialTokens;
};

/** Fills in the defaults. Throws: ConfigError where the options contradict each other. */
export function completeConfig(options: WordPieceOptions): WordPieceConfig {
  const special = inOrder(options.special ?? BERT_SPECIAL);
  const { vocabulary } = options;
  const addedTokens = completeTokens("wordPiece", { ...options, special }, (content, id) => ({
    id,
    content,
    special: true,
  }));
  const config: WordPieceConfig = {
    name: "wordpiece",
    modelSize: vocabulary.length,
    lowercase: true,
    chineseCharacters: true,
    cleanText: true,
    prefix: "##",
    maxWordLength: 100,
    cleanUp: "text",
    template: bertTemplate(special),
    modelInputNames: ["input_ids", "token_type_ids", "attention_mask"],
    ...options,
    special,
    addedTokens,
  };
  checkTokens("wordPiece", config);
  return config;
}
