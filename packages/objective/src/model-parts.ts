/**
 * The checks of a model against an objective's requirements, with errors in words. @cloze/nn holds the contracts of the
 * model parts.
 */
import { ConfigError } from "@cloze/errors";
import { missingMethods, PART_METHODS, type AnyModel, type ModelPart } from "@cloze/nn";
import type { Objective } from "./objective.ts";

/**
 * Throws ConfigError if the model lacks a method that the objective requires. `name`: the model's name, for the error.
 */
export function checkModel(
  { name: objective, requires }: Pick<Objective, "name" | "requires">,
  model: AnyModel,
  name: string,
): void {
  if (!Object.hasOwn(PART_METHODS, requires)) {
    throw new ConfigError(
      `objective ${objective}: expected it to require one of ${Object.keys(PART_METHODS).join(", ")}, got ` +
        `${JSON.stringify(requires)}. Mend "requires" in the objective.`,
    );
  }
  const missing = missingMethods(model, requires);
  if (missing.length > 0) {
    throw new ConfigError(
      `objective ${objective}: expected a model with ${requires}, got ${name}, which has no ` +
        `${missing.join(" and no ")}. Choose a model that was made for it, such as a BERT, or another objective.`,
    );
  }
}

const methodsOf = (part: ModelPart): readonly string[] => Object.keys(PART_METHODS[part]);

/** The model part that has all methods of the given parts and no other method. Throws ConfigError if there is none. */
export function unionOfParts(parts: readonly ModelPart[], where: string): ModelPart {
  const wanted = [...new Set(parts.flatMap(methodsOf))].toSorted().join();
  const found = (Object.keys(PART_METHODS) as ModelPart[]).find((part) => methodsOf(part).toSorted().join() === wanted);
  if (found === undefined)
    throw new ConfigError(
      `${where}: expected parts that one model has together, got ${[...new Set(parts)].join(" and ")}. Train ` +
        "with one of the objectives after the other.",
    );
  return found;
}
