/** All that a byte-level BPE tokenizer is, as plain data; what ModernBERT has is the default. */
import { ConfigError } from "@cloze/errors";
import type { AddedToken, SpecialTemplate, SpecialTokens } from "@cloze/tokenizer";
import { BERT_SPECIAL, bertTemplate, checkTokens, completeTokens, inOrder } from "@cloze/tokenizer/internal";

/** Two tokens, written with the byte alphabet, that become one. */
export type Merge = readonly [first: string, second: string];

export interface BpeConfig {
  readonly name: string;
  /**
   * Token strings, the index is the id: the model's, in the byte alphabet (a space is Ġ), then those that were added
   * later.
   */
  readonly vocabulary: readonly string[];
  /** Tokens of the model; from this id on they are added ones, which no word becomes. */
  readonly modelSize: number;
  /** In the order of their ranks. */
  readonly merges: readonly Merge[];
  readonly special: SpecialTokens;
  readonly template: SpecialTemplate;
  /** Tokens found whole in a text, the special ones among them. */
  readonly addedTokens: readonly AddedToken[];
  readonly normalizer: "nfc" | "none";
  /** A space before each stretch of text that has none. */
  readonly addPrefixSpace: boolean;
  /** Split into GPT-2's words first; else merges may reach across spaces. */
  readonly useRegex: boolean;
  /**
   * Leave spaces out of offsets: none (ModernBERT), all, or all but a single one at the start, where the prefix space
   * would be (RoBERTa in some files).
   */
  readonly trimOffsets: "none" | "spaces" | "spaces-but-prefix";
  /** A word that is a token is taken whole, whatever the merges say. */
  readonly ignoreMerges: boolean;
  /** What a byte that the vocabulary lacks becomes; absent: it is dropped. */
  readonly unknownByte?: string;
  /** The longest input of the model it belongs to; kept in files, enforced by nobody here. */
  readonly modelMaxLength?: number;
  readonly modelInputNames: readonly string[];
}

/** What `bpe` takes: a vocabulary with its merges, and whatever is not as in ModernBERT. */
export type BpeOptions = Partial<Omit<BpeConfig, "vocabulary" | "merges" | "special">> & {
  readonly vocabulary: readonly string[];
  readonly merges: readonly Merge[];
  readonly special?: SpecialTokens;
};

/** Fills in what is not given. Throws ConfigError where the parts contradict each other. */
export function completeConfig(options: BpeOptions): BpeConfig {
  const special = inOrder(options.special ?? BERT_SPECIAL);
  const { vocabulary } = options;
  // The mask takes the space before it along: a token that stands for a word has that space in itself.
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

/** The merges as ids. Throws ConfigError at the first that names no token of the model. */
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
