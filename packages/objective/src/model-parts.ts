/** What each part of a model is made of, as a table: whether a model can do what an objective asks is known before anything runs. */
import { ConfigError } from "@cloze/errors";
import type { AnyModel, ModelPart, ModelParts, Objective } from "./objective.ts";

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

const methodsOf = (part: ModelPart): readonly string[] => Object.keys(PART_METHODS[part]);

/** What `model` lacks of a part, by method name; empty where it has it. */
export function missingMethods(model: object, part: ModelPart): readonly string[] {
  return methodsOf(part).filter((method) => typeof (model as Readonly<Record<string, unknown>>)[method] !== "function");
}

export function hasPart<P extends ModelPart>(model: object, part: P): model is ModelParts[P] {
  return missingMethods(model, part).length === 0;
}

/** Throws ConfigError where the model cannot do what the objective requires; `name` is the model's, for the message. */
export function checkModel({ name: objective, requires }: Pick<Objective, "name" | "requires">, model: AnyModel, name: string): void {
  if (!Object.hasOwn(PART_METHODS, requires)) {
    throw new ConfigError(`objective ${objective}: expected it to require one of ${Object.keys(PART_METHODS).join(", ")}, got ${JSON.stringify(requires)}. Mend "requires" in the objective.`);
  }
  const missing = missingMethods(model, requires);
  if (missing.length > 0) {
    throw new ConfigError(`objective ${objective}: expected a model with ${requires}, got ${name}, which has no ${missing.join(" and no ")}. Choose a model that was made for it, such as a BERT, or another objective.`);
  }
}

/** The part that has all of the given ones and nothing else. Throws ConfigError if there is none. */
export function unionOfParts(parts: readonly ModelPart[], where: string): ModelPart {
  const wanted = [...new Set(parts.flatMap(methodsOf))].toSorted().join();
  const found = (Object.keys(PART_METHODS) as ModelPart[]).find((part) => methodsOf(part).toSorted().join() === wanted);
  if (found === undefined) throw new ConfigError(`${where}: expected parts that one model has together, got ${[...new Set(parts)].join(" and ")}. Train with one of the objectives after the other.`);
  return found;
}
