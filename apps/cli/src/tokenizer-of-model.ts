/** The tokenizer of a model that is opened, and whether the two agree in size. */
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import type { LoadedModel } from "./model-files.ts";
import { tokenizerFrom, tokenizerOfFolder } from "./tokenizers.ts";

/** The tokenizer beside a model's weights. `note` gets what `fitOf` says. */
export async function tokenizerBeside(loaded: LoadedModel, note: (line: string) => void): Promise<Tokenizer> {
  return fitting(await tokenizerOfFolder(loaded.dir), loaded, note);
}

/** The tokenizer of a name or a folder, for a model. `note` gets what `fitOf` says. */
export async function tokenizerNamed(
  name: string,
  loaded: LoadedModel,
  path: (given: string) => string,
  note: (line: string) => void,
): Promise<Tokenizer> {
  return fitting(await tokenizerFrom(name, path), loaded, note);
}

function fitting(tokenizer: Tokenizer, { dir, model }: LoadedModel, note: (line: string) => void): Tokenizer {
  for (const line of fitOf(tokenizer, model.vocab, dir)) note(line);
  return tokenizer;
}

/**
 * Lines about a tokenizer for a model with rows for `vocab` tokens: remarks on its files, and a smaller vocabulary.
 * Throws: ConfigError for a larger vocabulary, whose last tokens have no row.
 */
export function fitOf(tokenizer: Tokenizer, vocab: number, where: string): readonly string[] {
  const { name, vocabulary, remarks = [] } = tokenizer;
  const said = remarks.map((remark) => `${where}: ${remark}`);
  if (vocabulary.length < vocab)
    return [
      ...said,
      `${where}: the tokenizer ${name} has ${vocabulary.length} tokens, the model ${vocab}: the ids from ` +
        `${vocabulary.length} on occur in no text`,
    ];
  if (vocabulary.length === vocab) return said;
  const without = vocabulary.slice(vocab, vocab + 4).map((token) => JSON.stringify(token));
  throw new ConfigError(
    `${where}: expected a tokenizer of at most the model's ${vocab} tokens, got ${name} with ${vocabulary.length}: ` +
      `${without.join(", ")}${vocabulary.length - vocab > 4 ? " and others" : ""} have ids from ${vocab} on, and no ` +
      `row. ${["Use the tokenizer that stands beside the weights.", ...remarks].join(" ")}`,
  );
}
