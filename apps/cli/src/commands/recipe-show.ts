/**
 * The command `cloze recipe show`: shows the source of a recipe, its options and, with `--plot`, charts of the values
 * that change over the run.
 */
import { command, type Command } from "../command.ts";

export const recipeShow: Command = command({
  arguments: {
    name: "NAME|FILE",
    help: "a name that cloze recipe list shows, or a YAML file of pretrain options",
    min: 1,
    max: 1,
  },
  options: { plot: { kind: "boolean", help: "draw each quantity that changes over the run" } },
  examples: [
    { does: "Where it comes from, and its options", line: "cloze recipe show esm2-8m" },
    { does: "Its schedules as charts", line: "cloze recipe show speedrun-133m --plot" },
  ],
  run: async ({ args: [name = ""], options: { plot }, path, io }) => {
    const { readRecipe } = await import("../recipes.ts");
    const { describeRecipe } = await import("../recipe-page.ts");
    return describeRecipe(await readRecipe(name, path), { plot, path, cwd: io.cwd });
  },
});
