/**
 * The training of a WordPiece vocabulary on counted words: special tokens, initial tokens, the alphabet, then merges of
 * the most frequent pairs.
 *
 * The first character of a word is a token. Each further character is a token with `##`. Pairs are joined by frequency
 * (merge-pairs.ts of @cloze/tokenizer) until the vocabulary is full.
 * Deterministic: the order of files, the number of threads and chance cannot change the result. Python's
 * WordPieceTrainer depends on the order of its hash table. Here the order is defined: `##` characters are in the order
 * of code points, and of equally frequent characters the alphabet limit keeps those with smaller code points.
 * Checked: for the same words, Python gives the same vocabulary, except for equally frequent pairs
 * (test/train.test.ts). Source: WordPieceTrainer and BpeTrainer of Python `tokenizers` 0.23.3; Sennrich et al. 2016,
 * arXiv:1508.07909.
 */
import { ConfigError } from "@cloze/errors";
import { mergePairs, type SymbolRows, type WordCounts } from "@cloze/tokenizer/internal";

export interface VocabularyOptions {
  /** Number of tokens in the vocabulary. Default 30,522: BERT's number. */
  readonly size?: number;
  /** Rarer pairs are not joined. Default 2. */
  readonly minFrequency?: number;
  /**
   * Largest number of characters in the alphabet. The rarest characters are left out, and words are taken without them.
   * Default 1000.
   */
  readonly alphabetLimit?: number;
  /** Characters that count as the most frequent, even where they do not occur. */
  readonly initialAlphabet?: readonly string[];
  /** The tokens with the first ids. Default [PAD], [UNK], [CLS], [SEP], [MASK]. */
  readonly specialTokens?: readonly string[];
  /** Tokens that the vocabulary must have. Their ids follow those of the special tokens. */
  readonly initialTokens?: readonly string[];
  /** Prefix of pieces inside a word. Default ##. */
  readonly prefix?: string;
  /** Called every few hundred merges with the number of tokens so far. */
  readonly onProgress?: (tokens: number, size: number) => void;
}

export const DEFAULT_SPECIAL_TOKENS: readonly string[] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const PROGRESS_EVERY = 256;

/**
 * Token strings by id. Throws: ConfigError where `size` is too small for the required tokens and the alphabet, or there
 * are no words.
 */
export function trainVocabulary(words: WordCounts, options: VocabularyOptions = {}): string[] {
  const {
    size = 30522,
    minFrequency = 2,
    specialTokens = DEFAULT_SPECIAL_TOKENS,
    initialTokens = [],
    prefix = "##",
    onProgress,
  } = options;
  if (words.size === 0)
    throw new ConfigError("trainVocabulary: expected words to train on, got none. Are the files empty?");
  const tokens = new TokenList();
  for (const token of [...specialTokens, ...initialTokens]) {
    if (token === "")
      throw new ConfigError(
        "trainVocabulary: expected special and initial tokens of at least one character, got an empty one.",
      );
    tokens.idOf(token);
  }
  const alphabet = alphabetOf(words, options);
  for (const character of alphabet) tokens.idOf(character);
  for (const character of followers(words, tokens)) tokens.idOf(`${prefix}${character}`);
  if (tokens.list.length > size) {
    throw new ConfigError(
      `trainVocabulary: expected a size of at least ${tokens.list.length} for the special tokens and an alphabet ` +
        `of ${alphabet.length} characters, got ${size}. Raise the size, or limit the alphabet.`,
    );
  }
  mergePairs(rowsOf(words, tokens, prefix), {
    minFrequency,
    enough: () => tokens.list.length >= size,
    join: (first, second) => {
      const behind = tokens.list[second] as string;
      const id = tokens.idOf(
        `${tokens.list[first]}${behind.startsWith(prefix) ? behind.slice(prefix.length) : behind}`,
      );
      if (id % PROGRESS_EVERY === 0) onProgress?.(tokens.list.length, size);
      return id;
    },
  });
  onProgress?.(tokens.list.length, size);
  return tokens.list;
}

class TokenList {
  readonly list: string[] = [];
  readonly #ids = new Map<string, number>();

  /** The token's id. A new token gets the next id. */
  idOf(token: string): number {
    const found = this.#ids.get(token);
    if (found !== undefined) return found;
    this.#ids.set(token, this.list.length);
    return this.list.push(token) - 1;
  }

  find(token: string): number {
    return this.#ids.get(token) ?? -1;
  }
}

/** The most frequent characters, in the order of their code points. */
function alphabetOf(words: WordCounts, { alphabetLimit = 1000, initialAlphabet = [] }: VocabularyOptions): string[] {
  const counts = new Map<number, number>();
  for (let entry = 0; entry < words.size; entry++) {
    const times = words.count(entry);
    for (const character of words.word(entry)) {
      const code = character.codePointAt(0) as number;
      counts.set(code, (counts.get(code) ?? 0) + times);
    }
  }
  for (const character of initialAlphabet) {
    if (character === "" || [...character].length > 1)
      throw new ConfigError(
        `trainVocabulary: expected single characters in initialAlphabet, got ${JSON.stringify(character)}. ` +
          "Longer ones go into initialTokens.",
      );
    counts.set(character.codePointAt(0) as number, Infinity);
  }
  const frequent = [...counts]
    .toSorted(([a, timesA], [b, timesB]) => (timesA === timesB ? a - b : timesB - timesA))
    .slice(0, alphabetLimit);
  return frequent
    .map(([code]) => code)
    .toSorted((a, b) => a - b)
    .map((code) => String.fromCodePoint(code));
}

/** Characters of the alphabet that occur after the first place of a word, in the order of code points. */
function followers(words: WordCounts, tokens: TokenList): string[] {
  const found = new Set<string>();
  for (let entry = 0; entry < words.size; entry++) {
    let first = true;
    for (const character of words.word(entry)) {
      if (!first && tokens.find(character) >= 0) found.add(character);
      first = false;
    }
  }
  return [...found].toSorted((a, b) => (a.codePointAt(0) as number) - (b.codePointAt(0) as number));
}

/** The words as rows of the ids of their characters, without characters outside the alphabet. */
function rowsOf(words: WordCounts, tokens: TokenList, prefix: string): SymbolRows {
  const starts = new Int32Array(words.size + 1);
  const counts = new Float64Array(words.size);
  let symbols = new Int32Array(1 << 12);
  let used = 0;
  for (let entry = 0; entry < words.size; entry++) {
    const word = words.word(entry);
    if (used + word.length > symbols.length) {
      const more = new Int32Array(Math.max(2 * symbols.length, used + word.length));
      more.set(symbols);
      symbols = more;
    }
    let first = true;
    for (const character of word) {
      const id = tokens.find(character);
      if (id >= 0) symbols[used++] = first ? id : tokens.find(`${prefix}${character}`);
      first = false;
    }
    starts[entry + 1] = used;
    counts[entry] = words.count(entry);
  }
  return { symbols, starts, counts };
}
