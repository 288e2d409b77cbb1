/** The command `cloze recipe list`: lists the recipes of this package, in 80 columns. */
import { command, type Command } from "../command.ts";

export const recipeList: Command = command({
  options: {},
  examples: [{ does: "What can be trained by name", line: "cloze recipe list" }],
  notes: [
    "Those called -tiny run on a CPU in minutes on the proteins that come along; family-tiny is for a FASTA file " +
      "of one's own. Train by one with: cloze pretrain --recipe NAME",
  ],
  run: async ({ path, io }) => {
    const [{ readRecipe, recipeNames }, { recipeFigures }, { columns }, { formatCount }] = await Promise.all([
      import("../recipes.ts"),
      import("../recipe-figures.ts"),
      import("../output.ts"),
      import("@cloze/trainer"),
    ]);
    const recipes: {
      readonly name: string;
      readonly summary: string;
      readonly parameters: number;
      readonly tokens: number | undefined;
      readonly steps: number | undefined;
    }[] = [];
    for (const name of await recipeNames()) {
      const recipe = await readRecipe(name, path);
      const { parameters, tokens, steps } = await recipeFigures(recipe, { path, cwd: io.cwd });
      recipes.push({ name, summary: recipe.summary, parameters, tokens, steps });
    }
    const count = (value: number | undefined): string => (value === undefined ? "-" : formatCount(value));
    const rows = recipes.map(({ name, parameters, tokens, summary }) => [
      name,
      count(parameters),
      count(tokens),
      summary,
    ]);
    return { json: { recipes }, text: columns([["recipe", "params", "tokens", "what"], ...rows], [1, 2]) };
  },
});
