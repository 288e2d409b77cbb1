/**
 * The data set: examples by number, each a run of token ids without its start and end tokens.
 *
 * The tokens lie in memory or in shard files. The code that reads a data set (packing, padding, evaluation) sees only
 * sizes, lengths and `read`. The number of an example never changes, so it can be a key of counter-based randomness.
 */

/** Token ids as they are stored: one byte for vocabularies up to 256, two up to 65,536, four beyond. */
export type Tokens = Uint8Array | Uint16Array | Uint32Array;

export interface Dataset {
  /** Examples, numbered 0 to size - 1. */
  readonly size: number;
  /** Tokens of an example, without start and end tokens. */
  lengthOf(example: number): number;
  /**
   * The tokens of an example. Do not write to the array: it may be a view of the data set's own memory. `epoch` matters
   * to a data set whose examples move from epoch to epoch (windows of long documents); their lengths never change.
   * Default 0.
   */
  read(example: number, epoch?: number): Tokens | Promise<Tokens>;
  /** The tokens [from, until) of an example. Defined where reading the whole example costs more. */
  slice?(example: number, from: number, until: number): Tokens | Promise<Tokens>;
  /**
   * The order in which training takes the examples of an epoch, for a data set with an order of its own (mixtures,
   * clusters). Default: shuffled.
   */
  orderOf?(key: { readonly seed: number; readonly epoch: number }): (place: number) => number;
  /**
   * The number of examples in an epoch, if an epoch does not show all: one of each cluster, which `orderOf` draws anew.
   * Default: `size`.
   */
  readonly places?: number;
  /**
   * How another thread opens the same data: plain data for `postMessage`. Workers cannot prefetch a data set without a
   * handle.
   */
  readonly handle?: DatasetHandle;
}

export type DatasetHandle =
  | { readonly kind: "memory"; readonly tokens: Tokens; readonly offsets: Float64Array }
  | { readonly kind: "shards"; readonly index: string; readonly split: string }
  | { readonly kind: "documents"; readonly of: DatasetHandle; readonly starts: Float64Array }
  | { readonly kind: "sentences"; readonly index: string; readonly split: string }
  | { readonly kind: "windows"; readonly of: DatasetHandle; readonly length: number; readonly seed: number }
  | {
      readonly kind: "mix";
      readonly parts: readonly { readonly of: DatasetHandle; readonly weight: number }[];
      readonly by: "examples" | "tokens";
    };
