/** The figures of a recipe, without a device or data: parameters of its model, steps and tokens of its run. */
import { countParameters } from "@cloze/nn";
import { madeFor, modelSource, parametersOfSource } from "./model-sources.ts";
import { findObjectives } from "./objectives.ts";
import { readObject } from "./options.ts";
import type { Recipe } from "./recipes.ts";
import { pretrainOptions } from "./recipes.ts";
import { withUsualRate } from "./optimizers.ts";
import { runCourse, type RunCourse } from "./run-course.ts";
import { heldOptions, valuesOf } from "./run-stages.ts";
import { TOKENIZER_NAMES, tokenizerFrom } from "./tokenizers.ts";

export interface RecipeFigures extends RunCourse {
  readonly parameters: number;
}

/**
 * The figures of one recipe. A tokenizer of this package gives the model its vocabulary. Any other tokenizer is not
 * opened, since it may be on the Hub; the model then has its published vocabulary. Throws the errors of opening the
 * model and the objectives.
 */
export async function recipeFigures(
  recipe: Recipe,
  { path, cwd }: { readonly path: (given: string) => string; readonly cwd: string },
): Promise<RecipeFigures> {
  const options = withUsualRate(pretrainOptions(recipe.options), new Set(recipe.options.keys()));
  const { tokenizer: name, model } = options;
  const known = recipe.options.has("tokenizer") && TOKENIZER_NAMES.some((each) => each === name);
  const tokenizer = known ? await tokenizerFrom(name, path) : undefined;
  const course = runCourse(options);
  const names = valuesOf(heldOptions(options).objective).map(String);
  // The head in training does not depend on the vocabulary.
  const [objective] = (
    await findObjectives(
      names,
      tokenizer ?? (await tokenizerFrom("esm2", path)),
      readObject(options.objectiveOptions),
      cwd,
    )
  ).values();
  const source = await modelSource(
    {
      model,
      modelOptions: readObject(options.modelOptions),
      path,
      zeroInitHead: options.zeroInitHead,
      ...madeFor(tokenizer, model),
    },
    objective?.requires ?? "masked-lm",
  );
  return { ...course, parameters: countParameters(parametersOfSource(source, objective?.requires)) };
}
