/**
 * Notes on a family's checkpoints for a loader: the tensors beside the parameters, as data. Nothing here reads a file.
 */
export interface CheckpointNotes {
  /** Prefix of the encoder's tensors, "bert.". It is missing where the encoder was saved alone. */
  readonly prefix: string;
  /** Other names of a parameter: the pattern, and its replacement. */
  readonly renamed: readonly (readonly [pattern: RegExp, parameter: string])[];
  /** Tensors that may exist and that a loader does not read. */
  readonly ignored: readonly RegExp[];
  /**
   * Copies of parameters. If this name exists, its tensor must equal the other parameter (unless the model does not tie
   * them).
   */
  readonly tied: Readonly<Record<string, string>>;
  /** Parameters that only some graphs declare. They must be kept when a checkpoint is written again. */
  readonly optional: readonly RegExp[];
  /**
   * Name of the rotary frequencies, where a family stores them. One tensor is enough: all layers have the same
   * frequencies.
   */
  readonly ropeFrequencies?: RegExp;
}

/** The old names of norms, from the TensorFlow checkpoints. transformers 5 writes them. */
export const NORMS_OF_OLD: CheckpointNotes["renamed"] = [
  [/\.LayerNorm\.gamma$/, ".LayerNorm.weight"],
  [/\.LayerNorm\.beta$/, ".LayerNorm.bias"],
];
