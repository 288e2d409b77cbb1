/** The JSON index beside token shards: all that a reader must know to check the shards and to use them. */

import type { InnerStops } from "../formats/inner-stops.ts";
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
  /** Tokens that frame every stored document; null if the vocabulary has none. */
  readonly special: { readonly start: number | null; readonly end: number | null };
  readonly splitRule: StoredSplitRule;
  readonly splits: Readonly<Record<string, ShardSplit>>;
  /** Input files, to tell whether the shards still belong to them. */
  readonly inputs: readonly ShardInput[];
  /** The table of clusters, for a data set that is sampled by clusters. */
  readonly clusters?: ShardInput & { readonly fields: string };
  /** How text was read and filtered. Undefined for shards of FASTA, whose documents have no sentences. */
  readonly reading?: Readonly<Record<string, string | number | boolean>>;
  readonly counts: ShardCounts;
}

/** A split by content, or by row number as in published sets (`ShuffledSplit`). */
export type StoredSplitRule =
  | { readonly hash: "murmur3-x86-128/64"; readonly seed: number; readonly valid: number; readonly test: number }
  | ({ readonly shuffle: "numpy-pcg64" } & ShuffledSplit);

export interface ShardInput {
  /** A file's name without its folder. For a source that is not a file, the whole name. */
  readonly file: string;
  readonly bytes: number;
  /** Time of last change, ISO 8601. For a file of the Hub, the hash of its content; for a URL, its ETag. */
  readonly modified: string;
}

export interface ShardSplit {
  readonly documents: number;
  /** Tokens in the files, start and end tokens included. */
  readonly tokens: number;
  readonly shards: readonly ShardEntry[];
  readonly clusters?: ShardClusters;
}

/** Examples by cluster, as little-endian uint32: cluster c holds the examples members[ends[c - 1], ends[c]). */
export interface ShardClusters {
  readonly count: number;
  readonly ends: { readonly file: string; readonly sha256: string };
  readonly members: { readonly file: string; readonly sha256: string };
}

export interface ShardEntry {
  readonly file: string;
  readonly documents: number;
  readonly tokens: number;
  /** SHA-256 of the token bytes: the file without its 1,024-byte header. The header is checked by value. */
  readonly sha256: string;
  /** Document lengths (with start and end tokens) as little-endian uint32. */
  readonly lengths: { readonly file: string; readonly sha256: string };
  /**
   * Sentence lengths (without start and end tokens) as little-endian uint32. The sentence lengths of a document add up
   * to the document's length without start and end tokens.
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
  /** Of proteins: records with a stop (`*`) before a residue, which the tokenizer does not know. */
  readonly innerStops?: InnerStops;
  /** Counts of text only. For text, `residues` counts characters, and `records` counts documents. */
  readonly text?: TextCounts;
  /**
   * Counts by character, as written: characters that became the unknown token, were replaced by another token, or were
   * dropped.
   */
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
  /** Documents left out: with the text of an earlier document, with too few, and with too many characters or tokens. */
  readonly duplicates: number;
  readonly tooShort: number;
  readonly tooLong: number;
}
