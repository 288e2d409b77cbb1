/**
 * The rules of the small benchmark, as code; bench/speedrun/README.md has them in words.
 *
 * Data, split, validation mask and longest row are the same for all records. A recipe trains at most 850,000 parameters
 * on at most 1,228,800 tokens; tokens are the positions of its batches. A record is better if it needs fewer tokens to
 * reach the target loss.
 */
import { ConfigError } from "@cloze/errors";
import { SAMPLE_NAME } from "./data-sources.ts";
import { kebab, type OptionValue } from "./options.ts";
import { PRETRAIN_OPTIONS } from "./pretrain-options.ts";
import { recipeFigures } from "./recipe-figures.ts";
import type { SpeedrunRecord } from "./speedrun-records.ts";
import { heldOptions, valuesOf } from "./run-stages.ts";
import { pretrainOptions } from "./recipes.ts";

export const MOST_PARAMETERS = 850_000;
export const MOST_TOKENS = 1_228_800;
export const ROW = 256;
/** The number of seeds that a record needs, and the limit that its p-value must stay below. */
export const LEAST_SEEDS = 3;
export const LARGEST_P = 0.01;
/** The record whose mean loss is the target: AdamW, tuned, over the whole budget. */
export const BASELINE = "esm2-adamw";

/** The options that are the same for every record. */
const FIXED: Readonly<Record<string, OptionValue>> = { data: [SAMPLE_NAME], tokenizer: "esm2", valid: 0.05 };

/** Options that a record may not set: they would change the data or the measure, or they are no part of a recipe. */
const CLOSED: ReadonlySet<string> = new Set([
  ...Object.keys(FIXED),
  "format",
  "field",
  "documents",
  "header",
  "quotes",
  "seed",
  "epochs",
  "tokens",
  "budget",
  "evalEvery",
  "saveEvery",
  "keep",
  "out",
  "from",
  "backend",
  "threads",
  "tune",
  "price",
  "prices",
  "peakTflops",
]);

/** All options of a record, with the fixed ones. Throws ConfigError for an option that the rules do not allow. */
export function optionsOfRecord({
  name,
  recipe,
}: Pick<SpeedrunRecord, "name" | "recipe">): ReadonlyMap<string, OptionValue> {
  const closed = [...recipe.keys()].find((key) => CLOSED.has(key));
  if (closed !== undefined)
    throw new ConfigError(
      `${name}, recipe: expected no ${kebab(closed)}, which is the same for all records or no part of a recipe. ` +
        "Leave it out.",
    );
  if (!recipe.has("steps"))
    throw new ConfigError(`${name}, recipe: expected steps, after which the target is reached, got none.`);
  if (!recipe.has("model") || String(recipe.get("model")).endsWith(".json"))
    throw new ConfigError(
      `${name}, recipe: expected a model by its name, changed by model-options, so that one file is enough, got ` +
        `${String(recipe.get("model") ?? "none")}.`,
    );
  const given = new Map<string, OptionValue>([
    ["maxLength", ROW],
    ["batchTokens", 4096],
    ["accumulate", 1],
    ...recipe,
    ...Object.entries(FIXED),
  ]);
  const lengths = valuesOf(heldOptions(pretrainOptions(given)).maxLength).map(Number);
  const longest = Math.max(...lengths);
  if (longest !== ROW)
    throw new ConfigError(
      `${name}, recipe: expected a max-length that ends at, or passes, ${ROW} and never more, since validation ` +
        `is over rows of that length, got ${longest}.`,
    );
  return given;
}

/** Parameters, tokens and steps of a record. Throws ConfigError if parameters or tokens are above the limits. */
export async function checkedFigures(
  record: Pick<SpeedrunRecord, "name" | "recipe">,
  where: { readonly path: (given: string) => string; readonly cwd: string },
): Promise<{ readonly parameters: number; readonly tokens: number; readonly steps: number }> {
  const options = optionsOfRecord(record);
  const {
    parameters,
    tokens = NaN,
    steps = NaN,
  } = await recipeFigures({ name: record.name, summary: "", header: [], options }, where);
  for (const [what, count, most] of [
    ["parameters", parameters, MOST_PARAMETERS],
    ["tokens", tokens, MOST_TOKENS],
  ] as const) {
    if (!(count <= most))
      throw new ConfigError(
        `${record.name}, recipe: expected at most ${most} ${what}, got ${count}. Make ` +
          `${what === "parameters" ? "the model smaller by model-options" : "it shorter by steps or batch-tokens"}.`,
      );
  }
  return { parameters, tokens, steps };
}

export const runOptions = (
  record: Pick<SpeedrunRecord, "name" | "recipe">,
): { readonly options: ReturnType<typeof pretrainOptions>; readonly given: ReadonlySet<string> } => {
  const given = optionsOfRecord(record);
  return {
    options: pretrainOptions(given),
    given: new Set([...given.keys()].filter((key) => key in PRETRAIN_OPTIONS)),
  };
};
