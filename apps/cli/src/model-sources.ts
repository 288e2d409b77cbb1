/**
 * Models in the form that the trainer takes. A model comes from `--model` (a published name or a config.json) or from a
 * checkpoint folder. The head in training decides the parameters, and `architectures` in the saved config.json.
 */
import { basename } from "node:path";
import { ConfigError, UnsupportedError } from "@cloze/errors";
import {
  changedConfig,
  hasHead,
  headParameters,
  openModel,
  publishedConfig,
  publishedNames,
  type Head,
  type HeadModels,
  type OpenedModel,
  type OpenOptions,
  type TaskLabels,
  type Variation,
} from "@cloze/models/families";
import type { Encoder, Parameter } from "@cloze/nn";
import type { Tokenizer } from "@cloze/tokenizer";
import type { ModelSource } from "@cloze/trainer";
import { expectFile } from "./missing-path.ts";
import { didYouMean } from "./suggest.ts";

/** A model to open. `vocab` and `special` come from the tokenizer, if the model is made for one. */
export interface ModelRequest extends Pick<OpenOptions, "vocab" | "special"> {
  /** A published name, or a path that `path` resolves. */
  readonly model: string;
  /** Keys of config.json that replace those of the model: `--model-options`. */
  readonly modelOptions?: Readonly<Record<string, unknown>>;
  readonly path: (given: string) => string;
  /** Starts from logits of exactly zero. */
  readonly zeroInitHead: boolean;
}

/**
 * Vocabulary size and special token ids of the tokenizer, for a published size. Empty if the tokenizer is unknown, and
 * for a config.json, which has its own.
 */
export function madeFor(tokenizer: Tokenizer | undefined, model: string): Pick<ModelRequest, "vocab" | "special"> {
  return tokenizer === undefined || model.endsWith(".json")
    ? {}
    : { vocab: tokenizer.vocabulary.length, special: tokenizer.special };
}

/** A new model with the masked-LM head for pretraining, or with another head. */
export async function modelSource(request: ModelRequest): Promise<VariedSource<HeadModels["masked-lm"]>>;
export async function modelSource<H extends Head>(
  request: ModelRequest,
  head: H,
  labels?: TaskLabels,
): Promise<VariedSource<HeadModels[H]>>;
export async function modelSource(
  request: ModelRequest,
  head: Head = "masked-lm",
  labels: TaskLabels = {},
): Promise<VariedSource<HeadModels[Head]>> {
  const { name, opened } = await openRequested(request);
  return sourceOfModel(name, opened, head, labels);
}

/**
 * The model of `--model`, changed by `--model-options`. Throws ConfigError for an unknown name, and for keys that the
 * model's family does not have.
 */
export async function openRequested({
  model,
  path,
  modelOptions = {},
  vocab,
  ...options
}: ModelRequest): Promise<{ readonly name: string; readonly opened: OpenedModel }> {
  const names = await publishedNames();
  const open = async (json: unknown, given: OpenOptions): Promise<OpenedModel> => {
    const changed =
      Object.keys(modelOptions).length > 0
        ? await changedConfig(json, modelOptions, { file: given.file ?? model, where: "--model-options" })
        : json;
    return openModel(changed, { ...given, ...(vocab !== undefined && !("vocab_size" in modelOptions) && { vocab }) });
  };
  if (names.includes(model)) return { name: model, opened: await open(await publishedConfig(model), options) };
  if (!model.endsWith(".json"))
    throw new ConfigError(
      `--model ${model}: expected ${names.join(", ")} or a config.json.${didYouMean(model, names)}`,
    );
  const { readJson } = await import("@cloze/checkpoint/node");
  await expectFile(model, path, "--model");
  return {
    name: basename(model, ".json"),
    opened: await open(await readJson(path(model)), { ...options, file: model }),
  };
}

/** A model source that can make variants of its model: other settings, the same parameters. */
export interface VariedSource<M extends HeadModels[Head]> extends ModelSource<M> {
  /** Throws ConfigError for a setting that the model does not have. */
  vary(settings: Variation): ModelSource<M>;
}

/**
 * The source of an opened or loaded model, for training or evaluation. Without `labels` the labels are those of its
 * configuration. Throws UnsupportedError if the model does not have the head.
 */
export function sourceOfModel(name: string, opened: OpenedModel): VariedSource<HeadModels["masked-lm"]>;
export function sourceOfModel<H extends Head>(
  name: string,
  opened: OpenedModel,
  head: H,
  labels?: TaskLabels,
): VariedSource<HeadModels[H]>;
export function sourceOfModel(
  name: string,
  opened: OpenedModel,
  head: Head = "masked-lm",
  labels: TaskLabels = {},
): VariedSource<HeadModels[Head]> {
  const { model, buffers, maxLength, extraParameters, flopsPerToken } = opened;
  if (!hasHead(model, head))
    throw new UnsupportedError(
      `${name}: expected a model with a head for ${head}, got one of the family "${opened.family}", which has ` +
        `${Object.keys(opened.architectures).join(", ")}.`,
    );
  return {
    name,
    model,
    buffers,
    maxLength,
    extraParameters,
    flopsPerToken,
    configText: opened.configText({ head, ...labels }),
    vary: (settings) => sourceOfModel(name, opened.vary(settings), head, labels),
  };
}

/**
 * The parameters in a checkpoint of the model: encoder, head, and extra parameters. `labels` is the number of labels of
 * a classifier.
 */
export function parametersOfSource(
  source: Pick<ModelSource, "name" | "extraParameters"> & { readonly model: Encoder },
  head: Head = "masked-lm",
  labels = 2,
): ReadonlyMap<string, Parameter> {
  return new Map([...headParameters(source.model, head, labels, source.name), ...(source.extraParameters ?? [])]);
}
