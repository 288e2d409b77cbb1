/** Models by config.json and by name: opened, changed, listed. */
import { ConfigError } from "@cloze/errors";
import { families, familyOf } from "./family-of.ts";
import type { OpenedModel, OpenOptions } from "./family.ts";

export { families, familyOf };

export {
  headOfConfig,
  type FamilyModel,
  type ModelFamily,
  type OpenedModel,
  type OpenOptions,
  type SavedAs,
  type Variation,
} from "./family.ts";
export { hasHead, headNames, headParameters, type Head, type HeadModels } from "./heads.ts";
export { labelsJson, labelsOf, type ProblemType, type TaskLabels } from "./labels.ts";
export { openCheckpoint, readWeights, type ReadWeights, type StoredTensors } from "./read-weights.ts";
export { IGNORED_KEYS } from "./config-keys.ts";
export type { CheckpointNotes } from "./checkpoint-notes.ts";

/** A new model from a config.json. */
export async function openModel(json: unknown, options: OpenOptions = {}): Promise<OpenedModel> {
  return (await familyOf(json, options.file)).open(json, options);
}

/** Names of all published sizes, family by family. */
export async function publishedNames(): Promise<readonly string[]> {
  return (await Promise.all(Object.values(families).map((load) => load()))).flatMap(({ names }) => names);
}

/** The content of the config.json of a published size. Throws ConfigError for an unknown name. */
export async function publishedConfig(name: string): Promise<Readonly<Record<string, unknown>>> {
  for (const load of Object.values(families)) {
    const json = (await load()).published(name);
    if (json !== undefined) return json;
  }
  throw new ConfigError(
    `model ${JSON.stringify(name)}: expected one of ${(await publishedNames()).join(", ")}, got a name that is ` +
      "none of them.",
  );
}

/** The origin of a changed configuration, for messages. */
export interface ChangeRequest {
  readonly file?: string;
  /** The option or key that holds the changes. */
  readonly where: string;
}

/**
 * A config.json with some of its keys changed. An older key that says the same in another way, for example ModernBERT's
 * `layer_types` beside `num_hidden_layers`, is dropped unless `changes` has it too. Throws ConfigError for keys that
 * the family does not read, and for token ids, which belong to the tokenizer.
 */
export async function changedConfig(
  json: unknown,
  changes: Readonly<Record<string, unknown>>,
  { file, where }: ChangeRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const { names, published, supersedes = {}, type } = await familyOf(json, file);
  const fixed = (key: string): boolean => key === "model_type" || key === "architectures" || key.endsWith("_token_id");
  const known = new Set(
    [...names.flatMap((name) => Object.keys(published(name) ?? {})), ...Object.keys(supersedes)].filter(
      (key) => !fixed(key),
    ),
  );
  const wrong = Object.keys(changes).find((key) => !known.has(key));
  if (wrong !== undefined) {
    const expected = fixed(wrong)
      ? `expected no ${wrong}, which is not to be changed: ids are the tokenizer's, and the family is the model's`
      : `expected keys of a config.json of the family "${type}", got "${wrong}"`;
    throw new ConfigError(`${where}: ${expected}. There are: ${[...known].join(", ")}.`);
  }
  const gone = Object.keys(changes).flatMap((key) => supersedes[key] ?? []);
  return {
    ...Object.fromEntries(
      Object.entries(json as Readonly<Record<string, unknown>>).filter(([key]) => !gone.includes(key)),
    ),
    ...changes,
  };
}
