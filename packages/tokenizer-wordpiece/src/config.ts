/** All that a WordPiece tokenizer is, as plain data; what BERT has is the default. */
import type { AddedToken, SpecialTemplate, SpecialTokens } from "@cloze/tokenizer";
import { BERT_SPECIAL, bertTemplate, checkTokens, completeTokens, inOrder } from "@cloze/tokenizer/internal";

/**
 * Which spaces decode takes out again. "tokens": before a full stop, comma, ? and !, as the decoder of Python
 * `tokenizers` does; "text": also in `isn ' t` and the like, as `transformers` does with clean_up_tokenization_spaces;
 * "none": nowhere.
 */
export type CleanUp = "none" | "tokens" | "text";

export interface WordPieceConfig {
  readonly name: string;
  /** Token strings, the index is the id: the model's, then those that were added later. */
  readonly vocabulary: readonly string[];
  /** Tokens of the model; from this id on they are added ones, which no word is matched with. */
  readonly modelSize: number;
  readonly special: SpecialTokens;
  readonly template: SpecialTemplate;
  /** Tokens found whole in a text, the special ones among them. */
  readonly addedTokens: readonly AddedToken[];
  readonly lowercase: boolean;
  /** Absent: as `lowercase`. */
  readonly stripAccents?: boolean;
  /** Spaces around Chinese characters, each of which is then a word. */
  readonly chineseCharacters: boolean;
  /** Drop controls, and make all white space spaces. */
  readonly cleanText: boolean;
  /** What a piece inside a word begins with. */
  readonly prefix: string;
  /** Words of more characters are unknown. */
  readonly maxWordLength: number;
  readonly cleanUp: CleanUp;
  /** The longest input of the model it belongs to; kept in files, enforced by nobody here. */
  readonly modelMaxLength?: number;
  readonly modelInputNames: readonly string[];
}

/** What `wordPiece` takes: a vocabulary, and whatever is not as in BERT. */
export type WordPieceOptions = Partial<Omit<WordPieceConfig, "vocabulary" | "special">> & {
  readonly vocabulary: readonly string[];
  readonly special?: SpecialTokens;
};

/** Fills in what is not given. Throws ConfigError where the parts contradict each other. */
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
