/**
 * The training of byte-level BPE on counted words. The vocabulary holds the special tokens, the 256 bytes, then merges
 * of the most frequent pairs until it is full.
 *
 * Deterministic: of equally frequent pairs, the pair with the smaller ids goes first. For the same words it makes the
 * same vocabulary and merges as Python's BpeTrainer with the byte alphabet as initial alphabet (test/golden.test.ts).
 * Source: BpeTrainer of Python `tokenizers` 0.23.3; Sennrich et al. 2016, arXiv:1508.07909.
 * Price: see merge-pairs.ts of @cloze/tokenizer.
 */
import { ConfigError } from "@cloze/errors";
import { mergePairs, type SymbolRows, type WordCounts } from "@cloze/tokenizer/internal";
import { byteCharacters, forEachByte } from "./byte-alphabet.ts";
import type { Merge } from "./config.ts";

export interface MergeTrainingOptions {
  /** Number of tokens in the vocabulary. Default 50,280: ModernBERT's number without its added tokens. */
  readonly size?: number;
  /** Rarer pairs are not joined. Default 2. */
  readonly minFrequency?: number;
  /** The tokens with the first ids. Default [PAD], [UNK], [CLS], [SEP], [MASK]. */
  readonly specialTokens?: readonly string[];
  /** Called every few hundred merges with the number of tokens so far. */
  readonly onProgress?: (tokens: number, size: number) => void;
}

/** A vocabulary and its merges, as options for `bpe`. */
export interface TrainedMerges {
  readonly vocabulary: readonly string[];
  readonly merges: readonly Merge[];
}

export const DEFAULT_SPECIAL_TOKENS: readonly string[] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const PROGRESS_EVERY = 256;

/** Throws: ConfigError where `size` is too small for the special tokens and the bytes, or there are no words. */
export function trainMerges(words: WordCounts, options: MergeTrainingOptions = {}): TrainedMerges {
  const { size = 50280, minFrequency = 2, specialTokens = DEFAULT_SPECIAL_TOKENS, onProgress } = options;
  if (words.size === 0)
    throw new ConfigError("trainMerges: expected words to train on, got none. Are the files empty?");
  if (specialTokens.includes(""))
    throw new ConfigError("trainMerges: expected special tokens of at least one character, got an empty one.");
  const characters = byteCharacters();
  const vocabulary = [...new Set([...specialTokens, ...characters.toSorted((a, b) => (a < b ? -1 : 1))])];
  const ids = new Map(vocabulary.map((token, id) => [token, id]));
  const merges = new Map<string, Merge>();
  if (!(vocabulary.length <= size)) {
    throw new ConfigError(
      `trainMerges: expected a size of at least ${vocabulary.length} for the special tokens and the 256 bytes, ` +
        `got ${size}. Raise the size.`,
    );
  }
  mergePairs(
    rowsOf(
      words,
      characters.map((character) => ids.get(character) as number),
    ),
    {
      minFrequency,
      enough: () => vocabulary.length >= size,
      join: (first, second) => {
        const merge: Merge = [vocabulary[first] as string, vocabulary[second] as string];
        const token = merge.join("");
        const key = merge.join(" ");
        // A pair that is merged again has its last rank, as in Python.
        merges.delete(key);
        merges.set(key, merge);
        const found = ids.get(token);
        if (found !== undefined) return found;
        const id = vocabulary.push(token) - 1;
        ids.set(token, id);
        if (id % PROGRESS_EVERY === 0) onProgress?.(vocabulary.length, size);
        return id;
      },
    },
  );
  onProgress?.(vocabulary.length, size);
  return { vocabulary, merges: [...merges.values()] };
}

/** The words as rows of the ids of their bytes. */
function rowsOf(words: WordCounts, byteIds: readonly number[]): SymbolRows {
  const starts = new Int32Array(words.size + 1);
  const counts = new Float64Array(words.size);
  let symbols = new Int32Array(1 << 12);
  let used = 0;
  for (let entry = 0; entry < words.size; entry++) {
    const word = words.word(entry);
    const most = used + 3 * word.length;
    if (most > symbols.length) {
      const more = new Int32Array(Math.max(2 * symbols.length, most));
      more.set(symbols);
      symbols = more;
    }
    forEachByte(word, (byte) => {
      symbols[used++] = byteIds[byte] as number;
    });
    starts[entry + 1] = used;
    counts[entry] = words.count(entry);
  }
  return { symbols, starts, counts };
}
