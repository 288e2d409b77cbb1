/**
 * The parts of a model that an objective or a task may require, by name: the contracts of `model.ts` and the methods of
 * each contract, as a total table. So a missing method is known before anything runs.
 */
import type {
  ChoiceModel,
  MaskedLm,
  SentencePairModel,
  SequenceClassifier,
  SpanModel,
  TokenClassifier,
} from "./model.ts";

export interface ModelParts {
  readonly "masked-lm": MaskedLm;
  readonly "sentence-pair": SentencePairModel;
  readonly "masked-lm+sentence-pair": MaskedLm & SentencePairModel;
  readonly "sequence-classification": SequenceClassifier;
  readonly "token-classification": TokenClassifier;
  readonly "question-answering": SpanModel;
  readonly "multiple-choice": ChoiceModel;
}
export type ModelPart = keyof ModelParts;
/** A model that has one of the parts. An objective names its part with `requires`. */
export type AnyModel = ModelParts[ModelPart];

type Methods<M> = { [K in keyof M]: M[K] extends (...given: never[]) => unknown ? K : never }[keyof M] & string;

/** Every method of every part. */
export const PART_METHODS: { readonly [P in ModelPart]: { readonly [M in Methods<ModelParts[P]>]: true } } = {
  "masked-lm": { encode: true, predict: true },
  "sentence-pair": { encode: true, relate: true },
  "masked-lm+sentence-pair": { encode: true, predict: true, relate: true },
  "sequence-classification": { encode: true, classifySequence: true },
  "token-classification": { encode: true, classifyTokens: true },
  "question-answering": { encode: true, markSpan: true },
  "multiple-choice": { encode: true, scoreChoice: true },
};

/** The methods of `part` that `model` lacks, by name. Empty if the model has the part. */
export function missingMethods(model: object, part: ModelPart): readonly string[] {
  return Object.keys(PART_METHODS[part]).filter(
    (method) => typeof (model as Readonly<Record<string, unknown>>)[method] !== "function",
  );
}

export function hasPart<P extends ModelPart>(model: object, part: P): model is ModelParts[P] {
  return missingMethods(model, part).length === 0;
}
