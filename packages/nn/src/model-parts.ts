/**
 * What an objective or a task may ask of a model, by name: the contracts of `model.ts` and the methods that each is
 * made of, as a total table, so that whether a model can do what is asked is known before anything runs.
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
/** A model that has one of the parts; which, an objective says with `requires`. */
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

/** What `model` lacks of a part, by method name; empty where it has it. */
export function missingMethods(model: object, part: ModelPart): readonly string[] {
  return Object.keys(PART_METHODS[part]).filter(
    (method) => typeof (model as Readonly<Record<string, unknown>>)[method] !== "function",
  );
}

export function hasPart<P extends ModelPart>(model: object, part: P): model is ModelParts[P] {
  return missingMethods(model, part).length === 0;
}
