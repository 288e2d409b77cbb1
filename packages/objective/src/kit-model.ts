/** The kit's own model: small enough for finite differences, with every part that an objective may require. */
import {
  embeddingLayer,
  linear,
  type ChoiceModel,
  type MaskedLm,
  type SentencePairModel,
  type SequenceClassifier,
  type SpanModel,
  type TokenClassifier,
} from "@cloze/nn";

export type KitModel = MaskedLm & SentencePairModel & SequenceClassifier & TokenClassifier & SpanModel & ChoiceModel;

/** A model in which each token sees itself and the mean of its segment. */
export function kitModel(vocab: number): KitModel {
  const hidden = 6;
  return {
    hidden,
    vocab,
    encode: (scope, { ids, segments }) => {
      const [rows, length] = ids.shape as [number, number];
      const x = embeddingLayer(scope.at("embedding"), ids, { vocab, hidden });
      const same = segments
        .reshape([rows, length, 1])
        .equal(segments.reshape([rows, 1, length]))
        .cast("f32");
      const context = same.div(same.sum(-1, true)).matmul(x);
      return linear(scope.at("mix"), x.add(context), hidden).tanh();
    },
    predict: (scope, x) => linear(scope.at("head"), x, vocab),
    relate: (scope, first) => linear(scope.at("relation"), first, 2),
    classifySequence: (scope, first, labels) => linear(scope.at("sequence"), first, labels),
    classifyTokens: (scope, states, labels) => linear(scope.at("tokens"), states, labels),
    markSpan: (scope, states) => linear(scope.at("span"), states, 2),
    scoreChoice: (scope, first) => linear(scope.at("choice"), first, 1),
  };
}
