/** The config of a byte-level BPE tokenizer, as plain data. The defaults are ModernBERT's. */
import { ConfigError } from "@cloze/errors";
import type { AddedToken, SpecialTemplate, SpecialTokens } from "@cloze/tokenizer";
import { BERT_SPECIAL, bertTemplate, checkTokens, completeTokens, inOrder } from "@cloze/tokenizer/internal";

/** Two tokens, in the byte alphabet, that become one token. */
export type Merge = readonly [first: string, second: string];

export interface BpeConfig {
  readonly name: string;
  /**
   * Token strings; the index is the id. First the tokens of the model, in the byte alphabet (a space is Ġ), then tokens
   * that were added later.
   */
  readonly vocabulary: readonly string[];
  /** Number of tokens of the model. Tokens from this id on are added tokens: no word is encoded as one of them. */
  readonly modelSize: number;
  /** The merges, in the order of their ranks. */
  readonly merges: readonly Merge[];
  readonly special: SpecialTokens;
  readonly template: SpecialTemplate;
  /** Tokens that are found whole in a text, with the special tokens. */
  readonly addedTokens: readonly AddedToken[];
  readonly normalizer: "nfc" | "none";
  /** Put a space before each text between added tokens, where it has none. */
  readonly addPrefixSpace: boolean;
  /** Split the text into GPT-2's words first. Without it, merges may cross spaces. */
  readonly useRegex: boolean;
  /**
   * Which spaces to leave out of offsets: "none" (ModernBERT), all, or all except a single space at the start of the
   * text, where a prefix space would be (RoBERTa in some files).
   */
  readonly trimOffsets: "none" | "spaces" | "spaces-but-prefix";
  /** Encode a word that is a token as this token, without merges. */
  readonly ignoreMerges: boolean;
  /** Token for a byte that the vocabulary lacks. Absent: such a byte is dropped. */
  readonly unknownByte?: string;
  /** Longest input of the tokenizer's model, in tokens. Kept for the files; `encode` does not enforce it. */
  readonly modelMaxLength?: number;
  readonly modelInputNames: readonly string[];
}

/** Options of `bpe`: a vocabulary, its merges, and all settings that differ from ModernBERT's. */
export type BpeOptions = Partial<Omit<BpeConfig, "vocabulary" | "merges" | "special">> & {
  readonly vocabulary: readonly string[];
  readonly merges: readonly Merge[];
  readonly special?: SpecialTokens;
};

/** Fills in the defaults. Throws: ConfigError where the options contradict each other. */
export function completeConfig(options: BpeOptions): BpeConfig {
  const special = inOrder(options.special ?? BERT_SPECIAL);
  const { vocabulary } = options;
  // The mask token includes the space before it: it replaces a word's token, which includes this space too.
  const made = (content: string, id: number): AddedToken => ({
    id,
    content,
    special: true,
    ...(content === special.mask_token ? { lstrip: true } : {}),
  });
  const addedTokens = completeTokens("bpe", { ...options, special }, made);
  const config: BpeConfig = {
    name: "bpe",
    modelSize: vocabulary.length,
    normalizer: "nfc",
    addPrefixSpace: false,
    useRegex: true,
    trimOffsets: "none",
    ignoreMerges: false,
    template: bertTemplate(special),
    modelInputNames: ["input_ids", "attention_mask"],
    ...options,
    special,
    addedTokens,
  };
  checkTokens("bpe", config);
  if (config.unknownByte !== undefined && !vocabulary.slice(0, config.modelSize).includes(config.unknownByte)) {
    throw new ConfigError(
      `bpe: expected unknownByte to be a token of the model, got ${JSON.stringify(config.unknownByte)}. Add it ` +
        "to the vocabulary, or leave unknownByte out.",
    );
  }
  return config;
}

/** The merges as ids: first, second, joined. Throws: ConfigError for a merge of or to an unknown token. */
export function mergeIds({ vocabulary, modelSize, merges }: BpeConfig): readonly (readonly [number, number, number])[] {
  const ids = new Map(vocabulary.slice(0, modelSize).map((token, id) => [token, id]));
  return merges.map(([first, second], rank) => {
    const idOf = (token: string): number => {
      const id = ids.get(token);
      if (id === undefined)
        throw new ConfigError(
          `bpe: expected merge ${rank}, ${JSON.stringify(first)} and ${JSON.stringify(second)}, to name and make ` +
            `tokens of the vocabulary, got ${JSON.stringify(token)}. Do vocabulary and merges come from the same ` +
            "training?",
        );
      return id;
    };
    return [idOf(first), idOf(second), idOf(first + second)] as const;
  });
}
