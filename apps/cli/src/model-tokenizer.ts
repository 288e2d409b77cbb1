/**
 * The tokenizer of a model that was named without one. The alphabets of published protein models come with this
 * package. Every other vocabulary is a choice of the user, so it is asked for, never guessed.
 */
import { ConfigError } from "@cloze/errors";
import { publishedConfig, publishedNames } from "@cloze/models/families";
import { expectFile } from "./missing-path.ts";
import { TOKENIZER_NAMES, tokenizerFrom } from "./tokenizers.ts";

type Name = (typeof TOKENIZER_NAMES)[number];

/** Published models by the beginning of their names, each with its alphabet. */
const ALPHABETS: Readonly<Record<string, Name>> = {
  esm2: "esm2",
  protbert: "protbert",
  amplify: "amplify",
  speedrun: "esm2",
};

/** A larger vocabulary is not an alphabet that was padded to a round size. */
const PADDED = 128;

type Path = (given: string) => string;

/**
 * The alphabet of `--model`, a published name or a config.json; undefined if the model has another vocabulary, and for
 * an unknown name. A config.json has the alphabet of its size, or ESM-2's and padding.
 */
export async function alphabetOf(model: string, path: Path): Promise<Name | undefined> {
  if (!model.endsWith(".json")) {
    const known = (await publishedNames()).includes(model);
    return known ? ALPHABETS[Object.keys(ALPHABETS).find((start) => model.startsWith(start)) ?? ""] : undefined;
  }
  const { readJson } = await import("@cloze/checkpoint/node");
  await expectFile(model, path, "--model");
  const json = (await readJson(path(model))) as { readonly vocab_size?: unknown } | null;
  const vocab = json?.vocab_size;
  if (typeof vocab !== "number") return undefined;
  const sizes = new Map<Name, number>();
  for (const name of TOKENIZER_NAMES) sizes.set(name, (await tokenizerFrom(name, path)).vocabulary.length);
  return (
    TOKENIZER_NAMES.find((name) => sizes.get(name) === vocab) ??
    (vocab <= PADDED && vocab > (sizes.get("esm2") as number) ? "esm2" : undefined)
  );
}

/** The alphabet of `--model`. Throws ConfigError if the model has another vocabulary. `where` is the command. */
export async function tokenizerOfModel(model: string, path: Path, where: string): Promise<string> {
  const name = await alphabetOf(model, path);
  // An unknown name is the error of whoever opens the model.
  if (name !== undefined || !(model.endsWith(".json") || (await publishedNames()).includes(model)))
    return name ?? "esm2";
  const size = model.endsWith(".json") ? "" : ` (of ${Number((await publishedConfig(model))["vocab_size"])} tokens)`;
  throw new ConfigError(
    `${where} --model ${model}: expected --tokenizer, since this model has no alphabet of proteins but a vocabulary ` +
      `of its own${size}. Name a folder or a model of the Hub that has it, one that cloze tokenizer train made, or, ` +
      `to train on proteins, ${TOKENIZER_NAMES.join(", ")}.`,
  );
}
