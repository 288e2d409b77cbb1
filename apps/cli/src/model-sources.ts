/**
 * Models as the trainer takes them: `--model` by a published name or a config.json, or what a checkpoint folder holds. Which head
 * is trained decides which parameters there are and what `architectures` of the saved config.json says.
 */
import { basename } from "node:path";
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { hasHead, headParameters, openModel, publishedConfig, publishedNames, type Head, type HeadModels, type OpenedModel, type OpenOptions, type TaskLabels } from "@cloze/models/families";
import type { Encoder, Parameter } from "@cloze/nn";
import type { ModelSource } from "@cloze/trainer";
import { didYouMean } from "./suggest.ts";

/** `vocab` and `special` are those of the tokenizer, where the model is to be made for it. */
export interface ModelRequest extends Pick<OpenOptions, "vocab" | "special"> {
  /** A published name, or a path that `path` resolves. */
  readonly model: string;
  readonly path: (given: string) => string;
  /** Start from logits of exactly zero. */
  readonly zeroInitHead: boolean;
}

/** A new model with the head for pretraining, or with another. */
export async function modelSource(request: ModelRequest): Promise<ModelSource<HeadModels["masked-lm"]>>;
export async function modelSource<H extends Head>(request: ModelRequest, head: H, labels?: TaskLabels): Promise<ModelSource<HeadModels[H]>>;
export async function modelSource({ model, path, ...options }: ModelRequest, head: Head = "masked-lm", labels: TaskLabels = {}): Promise<ModelSource<HeadModels[Head]>> {
  const names = await publishedNames();
  if (names.includes(model)) return sourceOfModel(model, await openModel(await publishedConfig(model), options), head, labels);
  if (!model.endsWith(".json")) throw new ConfigError(`--model ${model}: expected ${names.join(", ")} or a config.json.${didYouMean(model, names)}`);
  const { readJson } = await import("@cloze/checkpoint/node"), opened = await openModel(await readJson(path(model)), { ...options, file: model });
  return sourceOfModel(basename(model, ".json"), opened, head, labels);
}

/** A model that was opened or loaded, to be trained on or evaluated. Labels are those of its configuration unless others are given. */
export function sourceOfModel(name: string, opened: OpenedModel): ModelSource<HeadModels["masked-lm"]>;
export function sourceOfModel<H extends Head>(name: string, opened: OpenedModel, head: H, labels?: TaskLabels): ModelSource<HeadModels[H]>;
export function sourceOfModel(name: string, opened: OpenedModel, head: Head = "masked-lm", labels: TaskLabels = {}): ModelSource<HeadModels[Head]> {
  const { model, buffers, maxLength, extraParameters, flopsPerToken } = opened;
  if (!hasHead(model, head)) throw new UnsupportedError(`${name}: expected a model with a head for ${head}, got one of the family "${opened.family}", which has ${Object.keys(opened.architectures).join(", ")}.`);
  return { name, model, buffers, maxLength, extraParameters, flopsPerToken, configText: opened.configText({ head, ...labels }) };
}

/** The parameters that a checkpoint of the model holds: encoder and head, and those that ride along. `labels` counts for classifiers. */
export function parametersOfSource(source: Pick<ModelSource, "name" | "extraParameters"> & { readonly model: Encoder }, head: Head = "masked-lm", labels = 2): ReadonlyMap<string, Parameter> {
  return new Map([...headParameters(source.model, head, labels, source.name), ...(source.extraParameters ?? [])]);
}
