/**
 * A data set: examples by number, each a run of token ids without its start and end tokens.
 *
 * Whether the tokens lie in memory or in shard files is the data set's own business; what reads it (packing, padding,
 * evaluation) sees sizes, lengths and `read`. The number of an example never changes, so that counter-based randomness
 * can be keyed by it.
 */

/** Token ids as they are stored: one byte for vocabularies up to 256, two up to 65,536, four beyond. */
export type Tokens = Uint8Array | Uint16Array | Uint32Array;

export interface Dataset {
  /** Examples, numbered 0 to size - 1. */
  readonly size: number;
  /** Tokens of an example, without start and end tokens. */
  lengthOf(example: number): number;
  /**
   * The tokens of an example; a view where that is cheap, so do not write to it. `epoch` matters to data sets whose
   * examples move from pass to pass, as windows of long documents do; their lengths stay. Default 0.
   */
  read(example: number, epoch?: number): Tokens | Promise<Tokens>;
  /** The tokens [from, until) of an example, where reading all of it would cost more. */
  slice?(example: number, from: number, until: number): Tokens | Promise<Tokens>;
  /**
   * The order in which training takes the examples in an epoch, where it is the data set's own business (mixtures).
   * Default: shuffled.
   */
  orderOf?(key: { readonly seed: number; readonly epoch: number }): (place: number) => number;
  /**
   * Examples that an epoch shows, where they are fewer than all: one of each cluster, which `orderOf` draws anew.
   * Default: `size`.
   */
  readonly places?: number;
  /**
   * How another thread opens the same data: plain data for `postMessage`. A data set without one cannot be prefetched
   * by workers.
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
