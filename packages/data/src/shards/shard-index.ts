/** The JSON index that lies beside token shards: all that a reader must know to trust and use them. */

import type { ShuffledSplit } from "../corpus/shuffled-split.ts";

export type TokenDtype = "uint8" | "uint16" | "uint32";

export interface ShardIndex {
  readonly format: "cloze-token-shards";
  readonly version: 1;
  readonly name: string;
  readonly tokenizer: {
    readonly name: string;
    readonly hash: string;
    readonly vocabularySize: number;
    /** The tokens themselves, for vocabularies up to 256. */
    readonly vocabulary?: readonly string[];
  };
  readonly dtype: TokenDtype;
  /** Tokens that frame every stored document; null where the vocabulary has none. */
  readonly special: { readonly start: number | null; readonly end: number | null };
  readonly splitRule: StoredSplitRule;
  readonly splits: Readonly<Record<string, ShardSplit>>;
  /** Input files, to tell whether the shards still belong to them. */
  readonly inputs: readonly ShardInput[];
  /** How text was read and filtered; absent for shards of FASTA, whose documents have no sentences. */
  /** The table of clusters, of a data set that is sampled by them. */
  readonly clusters?: ShardInput & { readonly fields: string };
  readonly reading?: Readonly<Record<string, string | number | boolean>>;
  readonly counts: ShardCounts;
}

/** By content; or rows drawn by number, as published sets are split (`ShuffledSplit`). */
export type StoredSplitRule =
  | { readonly hash: "murmur3-x86-128/64"; readonly seed: number; readonly valid: number; readonly test: number }
  | ({ readonly shuffle: "numpy-pcg64" } & ShuffledSplit);

export interface ShardInput {
  /** Name without its folder; of what is not a file, its whole name. */
  readonly file: string;
  readonly bytes: number;
  /** Time of last change, ISO 8601; of a file of the Hub the hash of its content. */
  readonly modified: string;
}

export interface ShardSplit {
  readonly documents: number;
  /** Tokens in the files, start and end tokens included. */
  readonly tokens: number;
  readonly shards: readonly ShardEntry[];
  readonly clusters?: ShardClusters;
}

/** Examples by cluster, as little-endian uint32: those of cluster c are members[ends[c - 1], ends[c]). */
export interface ShardClusters {
  readonly count: number;
  readonly ends: { readonly file: string; readonly sha256: string };
  readonly members: { readonly file: string; readonly sha256: string };
}

export interface ShardEntry {
  readonly file: string;
  readonly documents: number;
  readonly tokens: number;
  /** Of the token bytes, that is of the file without its 1,024-byte header; the header is checked by value. */
  readonly sha256: string;
  /** Document lengths (with start and end tokens) as little-endian uint32. */
  readonly lengths: { readonly file: string; readonly sha256: string };
  /**
   * Sentence lengths (without start and end tokens) as little-endian uint32; those of a document add up to its length
   * without the frame.
   */
  readonly sentences?: { readonly file: string; readonly sha256: string; readonly count: number };
}

export interface ShardCounts {
  /** Records in the input, empty ones included. */
  readonly records: number;
  readonly residues: number;
  /** Records without residues: they are counted and not stored. */
  readonly empty: number;
  /** Records of which the tokenizer left nothing: counted and not stored. */
  readonly emptied: number;
  /** Records whose header line is a bare `>`. */
  readonly unnamed: number;
  /** Records that the table of clusters does not name: each is a cluster of its own. */
  readonly unmapped?: number;
  /** What is counted of text alone; `residues` are then characters, and `records` documents. */
  readonly text?: TextCounts;
  /** By character, as written: what the tokenizer made the unknown token, replaced by another token, or dropped. */
  readonly unknown: Readonly<Record<string, number>>;
  readonly replaced: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
}

export interface TextCounts {
  readonly sentences: number;
  /** Invalid UTF-8 sequences, each read as U+FFFD. */
  readonly invalid: number;
  readonly bytes: number;
  readonly unknownTokens: number;
  /** Documents left out: the text was there before; too few or too many characters or tokens. */
  readonly duplicates: number;
  readonly tooShort: number;
  readonly tooLong: number;
}
