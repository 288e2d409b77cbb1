/** All that a WordPiece tokenizer is, as plain data; what BERT has is the default. */
import { ConfigError } from "@cloze/errors";
import { SPECIAL_ROLES, readTemplate, templatePieces, type AddedToken, type SpecialTemplate, type SpecialTokens } from "@cloze/tokenizer";

/**
 * Which spaces decode takes out again. "tokens": before a full stop, comma, ? and !, as the decoder of Python `tokenizers` does;
 * "text": also in `isn ' t` and the like, as `transformers` does with clean_up_tokenization_spaces; "none": nowhere.
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

export const BERT_SPECIAL: Required<Pick<SpecialTokens, "unk_token" | "sep_token" | "pad_token" | "cls_token" | "mask_token">> = {
  unk_token: "[UNK]", sep_token: "[SEP]", pad_token: "[PAD]", cls_token: "[CLS]", mask_token: "[MASK]",
};

/** `[CLS] $A [SEP]` and `[CLS] $A [SEP] $B:1 [SEP]:1`, as far as there are such tokens. */
export function bertTemplate({ cls_token, sep_token }: SpecialTokens): SpecialTemplate {
  if (cls_token === undefined && sep_token === undefined) return readTemplate(null);
  const single = [cls_token, "$A", sep_token].filter((t) => t !== undefined).join(" ");
  return { single, pair: [single, "$B:1", ...(sep_token === undefined ? [] : [`${sep_token}:1`])].join(" ") };
}

/** Fills in what is not given. Throws ConfigError where the parts contradict each other. */
export function completeConfig(options: WordPieceOptions): WordPieceConfig {
  const { vocabulary } = options, special = inOrder(options.special ?? BERT_SPECIAL);
  const fault = vocabularyFault(vocabulary, special);
  if (fault !== undefined) throw new ConfigError(`wordPiece: ${fault}`);
  const idOf = new Map(vocabulary.map((token, id) => [token, id]));
  const given = options.addedTokens ?? [], known = new Set(given.map((t) => t.content));
  const roles = [...new Set(SPECIAL_ROLES.flatMap((role) => special[role] ?? []))].filter((token) => !known.has(token));
  const addedTokens = [...given, ...roles.map((content): AddedToken => ({ id: idOf.get(content) as number, content, special: true }))].toSorted((a, b) => a.id - b.id);
  const config: WordPieceConfig = {
    name: "wordpiece", modelSize: vocabulary.length, lowercase: true, chineseCharacters: true, cleanText: true, prefix: "##", maxWordLength: 100,
    cleanUp: "text", template: bertTemplate(special), modelInputNames: ["input_ids", "token_type_ids", "attention_mask"],
    ...options, special, addedTokens,
  };
  for (const { id, content } of addedTokens) {
    if (vocabulary[id] !== content) throw new ConfigError(`wordPiece: expected the added token ${JSON.stringify(content)} at id ${id} of the vocabulary, got ${JSON.stringify(vocabulary[id])} there. Give its id.`);
  }
  for (const { token } of [...templatePieces(config.template.single), ...templatePieces(config.template.pair)]) {
    if (token !== undefined && !idOf.has(token)) throw new ConfigError(`wordPiece: expected the template to name tokens of the vocabulary, got ${JSON.stringify(token)}. Add it or mend the template.`);
  }
  return config;
}

/** Equal tokens give equal files, in whatever order they were named. */
function inOrder(special: SpecialTokens): SpecialTokens {
  const { unk_token, pad_token } = special;
  return { ...Object.fromEntries(SPECIAL_ROLES.flatMap((role) => (special[role] === undefined ? [] : [[role, special[role]]]))), unk_token, pad_token };
}

/** Why a vocabulary cannot be used, in words for a message that names its file. */
export function vocabularyFault(vocabulary: readonly string[], special: SpecialTokens): string | undefined {
  const seen = new Map<string, number>();
  for (const [id, token] of vocabulary.entries()) {
    const first = seen.get(token);
    if (first !== undefined) return `expected each token once, got ${JSON.stringify(token)} for ids ${first} and ${id}. Remove one of them, knowing that later ids move.`;
    seen.set(token, id);
  }
  for (const role of SPECIAL_ROLES) {
    const token = special[role];
    if (token !== undefined && !seen.has(token)) {
      return `expected the ${role} ${JSON.stringify(token)} in the vocabulary, got ${vocabulary.length} tokens without it. Add it, or name the token that has this role.`;
    }
  }
  return undefined;
}
