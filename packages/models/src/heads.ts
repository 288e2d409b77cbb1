/** The heads of models, named as objectives name them (`ModelParts` of @cloze/nn), and the parameters of each head. */
import { UnsupportedError } from "@cloze/errors";
import type { Tensor } from "@cloze/graph";
import {
  encoderInputs,
  hasPart,
  parametersOf,
  type Encoder,
  type ModelPart,
  type ModelParts,
  type Parameter,
  type Scope,
} from "@cloze/nn";

/** The name of a head, and its contract. */
export type Head = ModelPart;
export type HeadModels = ModelParts;

/** Declares a head's parameters. `states` is `[n, hidden]`. */
type Build<M> = (model: M, scope: Scope, states: Tensor<"f32">, labels: number) => void;

const HEADS: { readonly [H in Head]: Build<HeadModels[H]> } = {
  "masked-lm": (model, scope, states) => void model.predict(scope, states),
  "sentence-pair": (model, scope, states) => void model.relate(scope, states),
  "masked-lm+sentence-pair": (model, scope, states) => void [model.predict(scope, states), model.relate(scope, states)],
  "sequence-classification": (model, scope, states, labels) => void model.classifySequence(scope, states, labels),
  "token-classification": (model, scope, states, labels) => void model.classifyTokens(scope, states, labels),
  "question-answering": (model, scope, states) => void model.markSpan(scope, states),
  "multiple-choice": (model, scope, states) => void model.scoreChoice(scope, states),
};

export const headNames: readonly Head[] = Object.keys(HEADS) as Head[];

export function hasHead<H extends Head>(model: Encoder, head: H): model is HeadModels[H] {
  return hasPart(model, head);
}

/**
 * The parameters of a model with one head: the parameters of its class in transformers. `labels` matters only for
 * classifiers. Throws UnsupportedError where the model does not have the head.
 */
export function headParameters<H extends Head>(
  model: Encoder,
  head: H,
  labels: number,
  name = "model",
): ReadonlyMap<string, Parameter> {
  if (!hasHead(model, head))
    throw new UnsupportedError(
      `${name}: expected a model with a head for ${head}, got one without. It has: ` +
        `${headNames.filter((each) => hasHead(model, each)).join(", ")}.`,
    );
  return parametersOf((scope) => {
    const states = model.encode(scope, encoderInputs(scope.graph, 1, 2));
    HEADS[head](model, scope, states.reshape([-1, model.hidden]), labels);
  });
}
