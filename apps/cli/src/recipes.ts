/**
 * Recipes: YAML files of pretrain options, in the form that `--config` reads. A comment at the top says what the recipe
 * reproduces and what is different here. A recipe of this package has a name; any other recipe is a file.
 *
 *     # ESM-2 of 8 M parameters            the first line is what lists show
 *     #                                    then: source, what differs, what was never run
 *     model: esm2-8m
 */
import { parseConfig } from "./config-file.ts";
import { unsaid, type OptionTable, type OptionValue } from "./options.ts";
import type { PretrainOptions } from "./pretrain.ts";
import { PRETRAIN_OPTIONS } from "./pretrain-options.ts";
import { readShipped, shippedNames, type ShippedYaml } from "./shipped-yaml.ts";

const RECIPES: ShippedYaml = {
  folder: "recipes",
  what: "recipe",
  help: "Those that come along are shown by: cloze recipe list",
};

export interface Recipe {
  readonly name: string;
  /** The first line of the comment. */
  readonly summary: string;
  /** Lines of the comment, without `# `. */
  readonly header: readonly string[];
  /** The options that the recipe sets, and no others. */
  readonly options: ReadonlyMap<string, OptionValue>;
}

/** Names of the recipes in this package. A recipe stands before its tiny version. */
export const recipeNames = (): Promise<readonly string[]> => shippedNames(RECIPES);

/**
 * A recipe of this package by its name, or a user's recipe by its file. Throws ConfigError for an unknown name, and
 * FormatError for a file that is no recipe.
 */
export async function readRecipe(given: string, path: (given: string) => string): Promise<Recipe> {
  return parseRecipe((await readShipped(given, RECIPES, path)).text, given);
}

export async function parseRecipe(text: string, name: string): Promise<Recipe> {
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("#"));
  const header = lines.slice(0, end < 0 ? lines.length : end).map((line) => line.replace(/^# ?/, ""));
  return { name, header, summary: header[0] ?? "", options: await parseConfig(text, name, PRETRAIN_OPTIONS) };
}

/** All options of pretrain: the given ones, and the defaults of all others. */
export function pretrainOptions(given: ReadonlyMap<string, OptionValue>): PretrainOptions {
  const table: OptionTable = PRETRAIN_OPTIONS;
  return Object.fromEntries(
    Object.entries(table).map(([key, spec]) => [key, given.get(key) ?? unsaid(spec)]),
  ) as PretrainOptions;
}
