/**
 * The heads that a model may have, in the words by which objectives ask for them (`ModelParts` of @cloze/objective): what tells
 * that a model has one, and which parameters it is made of.
 */
import { UnsupportedError } from "@cloze/errors";
import type { Tensor } from "@cloze/graph";
import {
  encoderInputs, parametersOf, type ChoiceModel, type Encoder, type MaskedLm, type Parameter, type Scope, type SentencePairModel, type SequenceClassifier,
  type SpanModel, type TokenClassifier,
} from "@cloze/nn";

export interface HeadModels {
  readonly "masked-lm": MaskedLm;
  readonly "sentence-pair": SentencePairModel;
  readonly "masked-lm+sentence-pair": MaskedLm & SentencePairModel;
  readonly "sequence-classification": SequenceClassifier;
  readonly "token-classification": TokenClassifier;
  readonly "question-answering": SpanModel;
  readonly "multiple-choice": ChoiceModel;
}
export type Head = keyof HeadModels;

interface HeadRow<M> {
  /** The model has the head when it has these methods. */
  readonly methods: readonly string[];
  /** Declares the head's parameters. `states` is `[n, hidden]`. */
  build(model: M, scope: Scope, states: Tensor<"f32">, labels: number): void;
}

const HEADS: { readonly [H in Head]: HeadRow<HeadModels[H]> } = {
  "masked-lm": { methods: ["predict"], build: (model, scope, states) => void model.predict(scope, states) },
  "sentence-pair": { methods: ["relate"], build: (model, scope, states) => void model.relate(scope, states) },
  "masked-lm+sentence-pair": {
    methods: ["predict", "relate"],
    build: (model, scope, states) => void [model.predict(scope, states), model.relate(scope, states)],
  },
  "sequence-classification": { methods: ["classifySequence"], build: (model, scope, states, labels) => void model.classifySequence(scope, states, labels) },
  "token-classification": { methods: ["classifyTokens"], build: (model, scope, states, labels) => void model.classifyTokens(scope, states, labels) },
  "question-answering": { methods: ["markSpan"], build: (model, scope, states) => void model.markSpan(scope, states) },
  "multiple-choice": { methods: ["scoreChoice"], build: (model, scope, states) => void model.scoreChoice(scope, states) },
};

export const headNames: readonly Head[] = Object.keys(HEADS) as Head[];

export function hasHead<H extends Head>(model: Encoder, head: H): model is HeadModels[H] {
  return HEADS[head].methods.every((name) => typeof Reflect.get(model, name) === "function");
}

/**
 * The parameters of a model with one head: those that its class in transformers has. `labels` counts for classifiers.
 * Throws UnsupportedError where the model has no such head.
 */
export function headParameters<H extends Head>(model: Encoder, head: H, labels: number, name = "model"): ReadonlyMap<string, Parameter> {
  if (!hasHead(model, head)) throw new UnsupportedError(`${name}: expected a model with a head for ${head}, got one without. It has: ${headNames.filter((each) => hasHead(model, each)).join(", ")}.`);
  return parametersOf((scope) => {
    const states = model.encode(scope, encoderInputs(scope.graph, 1, 2));
    HEADS[head].build(model, scope, states.reshape([-1, model.hidden]), labels);
  });
}
