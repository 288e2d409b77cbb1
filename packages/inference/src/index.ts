/** The public API of a trained encoder: logits, hidden states, attention maps, contacts, embeddings, fill-mask. */
export {
  createEncoder,
  layerIndex,
  layerIndices,
  type EncoderOptions,
  type Ids,
  type Sequence,
  type SequenceEncoder,
  type SequenceOutputs,
  type Wanted,
} from "./encoder.ts";
export type { Embedding, EmbedOptions, EmbedProgress, LongPolicy, Pooling, TextPair } from "./embed.ts";
export type { Candidate, FilledMask } from "./fill-mask.ts";
export type { InferenceModel } from "./program.ts";
export type { F32Tensor, Many } from "./runner.ts";
export { windowsOf, type Window } from "./windows.ts";
