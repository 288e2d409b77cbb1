/** The page of a recipe, for people (in 80 columns) and for programs. */
import { formatCount } from "@cloze/trainer";
import type { Result } from "./command.ts";
import { wrap } from "./help.ts";
import { kebab, readObject, showValue, type OptionSpec, type OptionTable, type OptionValue } from "./options.ts";
import { integer } from "./output.ts";
import { PRETRAIN_OPTIONS } from "./pretrain-options.ts";
import { recipeFigures } from "./recipe-figures.ts";
import type { Recipe } from "./recipes.ts";
import type { Quantity } from "./run-course.ts";
import { terminalChart } from "./terminal-chart.ts";

/** The column where the values begin. */
const COLUMN = 20;

export async function describeRecipe(
  recipe: Recipe,
  { plot, ...where }: { readonly plot: boolean; readonly path: (given: string) => string; readonly cwd: string },
): Promise<Result> {
  const { parameters, steps, tokens, length, quantities } = await recipeFigures(recipe, where);
  const { name, header, summary } = recipe;
  const table: OptionTable = PRETRAIN_OPTIONS;
  const given = [...recipe.options].map(([key, value]) => ({ key, value, spec: table[key] as OptionSpec }));
  const json = {
    name,
    summary,
    header,
    options: Object.fromEntries(
      given.map(({ key, value, spec }) => [kebab(key), spec.kind === "json" ? readObject(String(value)) : value]),
    ),
    parameters,
    steps,
    tokens,
    quantities: quantities.map(sampled),
  };
  return {
    json,
    text: [
      name,
      ...header,
      "",
      ...given.flatMap(({ key, value, spec }) => line(kebab(key), worded(spec, value))),
      ...line("parameters", integer(parameters)),
      ...(steps === undefined || tokens === undefined
        ? []
        : line("run", `${formatCount(steps)} steps, ${formatCount(tokens)} tokens`)),
      ...(!plot
        ? []
        : quantities.length === 0
          ? ["", "Nothing changes over the run."]
          : quantities.flatMap(({ name: title, at }) => ["", ...terminalChart({ title, at, end: length })])),
    ],
  };
}

function line(name: string, value: string): readonly string[] {
  const [first = "", ...more] = wrap(value, 80 - COLUMN);
  return [`${name.padEnd(COLUMN)}${first}`, ...more.map((part) => " ".repeat(COLUMN) + part)];
}

/** A value in words, with spaces after its commas, so that lines can break there. */
function worded(spec: OptionSpec, value: OptionValue): string {
  if (spec.kind === "json") return String(value).replaceAll(',"', ', "').replaceAll('":', '": ');
  return spec.kind === "scheduled" ? String(value).replaceAll(",", ", ") : showValue(spec, value);
}

/** Values at every hundredth of the run. */
const sampled = ({ name, at }: Quantity): object => ({
  name,
  values: Array.from({ length: 101 }, (_, i) => at(i / 100) ?? null),
});
