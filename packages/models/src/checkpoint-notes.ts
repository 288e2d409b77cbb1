/** What is in a family's checkpoints beside the parameters: data for a loader. Nothing here reads a file. */
export interface CheckpointNotes {
  /** What stands before the encoder's tensors, and is missing where the encoder was saved alone: "bert.". */
  readonly prefix: string;
  /** Names under which a parameter may also be found: the pattern, and what to put in its place. */
  readonly renamed: readonly (readonly [pattern: RegExp, parameter: string])[];
  /** May be there and is not read. */
  readonly ignored: readonly RegExp[];
  /** Copies: where such a name is present it must equal the other parameter (unless the model does not tie them). */
  readonly tied: Readonly<Record<string, string>>;
  /** Parameters that only some graphs declare: to be kept when a checkpoint is written again. */
  readonly optional: readonly RegExp[];
  /** Rotary frequencies, where a family stores them. One is enough: all layers hold the same. */
  readonly ropeFrequencies?: RegExp;
}

/** transformers 5 writes norms under their names of old, those of the TensorFlow checkpoints. */
export const NORMS_OF_OLD: CheckpointNotes["renamed"] = [
  [/\.LayerNorm\.gamma$/, ".LayerNorm.weight"],
  [/\.LayerNorm\.beta$/, ".LayerNorm.bias"],
];
