/** What a recipe comes to, without a device or data: parameters of its model, steps and tokens of its run. */
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
 * A tokenizer that comes along gives the model its vocabulary; any other is not opened, since it may be on the Hub, and
 * the vocabulary is then the published one. Throws as opening the model and the objectives does.
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
  // Which head is trained does not depend on the vocabulary.
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
