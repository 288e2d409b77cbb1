/** Layers as functions over a parameter scope, and the contract between models and objectives. */
export {
  countParameters,
  HEAD,
  rootScope,
  Scope,
  type Parameter,
  type ParameterKind,
  type ParameterSpec,
  type Place,
  type Randomness,
  type ScopeOptions,
} from "./scope.ts";
export { openTrace, programOf, RANDOM_KEY, type FeedTypes, type Trace } from "./trace.ts";
export {
  encoderInputs,
  encoderInputsOf,
  maskedLmParameters,
  parametersOf,
  type ChoiceModel,
  type Encoder,
  type EncoderInputs,
  type EncoderOutputs,
  type MaskedLm,
  type SentencePairModel,
  type SequenceClassifier,
  type SpanModel,
  type TokenClassifier,
} from "./model.ts";
export {
  hasPart,
  missingMethods,
  PART_METHODS,
  type AnyModel,
  type ModelPart,
  type ModelParts,
} from "./model-parts.ts";
export { initialize, initialValue, normal02, ones, zeros, type Init, type Initialized } from "./init.ts";
export { linear, project, type LinearOptions } from "./linear.ts";
export { embeddingLayer, embeddingTable, type EmbeddingOptions } from "./embedding.ts";
export {
  positionEmbedding,
  segmentEmbedding,
  tokenEmbedding,
  tokenTable,
  type PlaceEmbeddingOptions,
  type TokenEmbeddingOptions,
} from "./input-embeddings.ts";
export { sinusoidalPositions, type SinusoidalOptions } from "./sinusoidal.ts";
export { layerNormLayer, rmsNormLayer, type LayerNormOptions } from "./layer-norm.ts";
export { attentionDropout, dropoutLayer, slotScope } from "./dropout.ts";
export {
  attend,
  attentionProbabilities,
  fusedQueryKeyValue,
  mergeHeads,
  queryKeyValue,
  selfAttention,
  splitHeads,
  type Heads,
  type SelfAttentionOptions,
} from "./self-attention.ts";
export { differentialLambdaInit, type DifferentialOptions } from "./differential-attention.ts";
export { ropeByFrequencyComposite, rotary, type RotaryOptions } from "./rotary.ts";
export { feedForward, type FeedForwardOptions } from "./feed-forward.ts";
export { gatedFeedForward, type GatedFeedForwardOptions } from "./gated-feed-forward.ts";
export { multiHeadAttention, type Attended, type MultiHeadAttentionOptions } from "./multi-head-attention.ts";
export {
  transformerLayer,
  transformerLayers,
  type Stacked,
  type TransformerLayerOptions,
} from "./transformer-layer.ts";
export { pooler } from "./pooler.ts";
