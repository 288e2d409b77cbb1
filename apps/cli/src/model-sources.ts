/** Models as the trainer takes them: `--model` by a published name or a config.json, or what a checkpoint folder holds. */
import { basename } from "node:path";
import { ConfigError, UnsupportedError } from "@cloze/errors";
import type { InferenceModel } from "@cloze/inference";
import type { Esm2 } from "@cloze/models/esm2";
import { encoderInputs, maskedLmParameters, parametersOf, type Parameter } from "@cloze/nn";
import type { ModelSource } from "@cloze/trainer";
import { didYouMean } from "./suggest.ts";

export interface ModelRequest {
  /** A published name, or a path that `path` resolves. */
  readonly model: string;
  readonly path: (given: string) => string;
  /** Start from logits of exactly zero. */
  readonly zeroInitHead: boolean;
}

export async function modelSource({ model, path, zeroInitHead }: ModelRequest): Promise<ModelSource> {
  const { esm2, esm2Configs, parseEsm2Config } = await import("@cloze/models/esm2"), names = Object.keys(esm2Configs) as (keyof typeof esm2Configs)[];
  const name = names.find((each) => each === model);
  if (name !== undefined) return esm2Source(name, esm2(esm2Configs[name], { zeroInitHead }));
  if (!model.endsWith(".json")) throw new ConfigError(`--model ${model}: expected ${names.join(", ")} or a config.json.${didYouMean(model, names)}`);
  const { readJson } = await import("@cloze/checkpoint/node"), json = await readJson(path(model));
  const type = typeof json === "object" && json !== null && "model_type" in json ? json.model_type : undefined;
  if (type !== undefined && type !== "esm") throw new UnsupportedError(`${model}: model_type ${JSON.stringify(type)}: expected "esm". Other families are not here yet.`);
  return esm2Source(basename(model, ".json"), esm2(parseEsm2Config(json, model), { zeroInitHead }));
}

/** A model that was loaded from a checkpoint, to be trained on or evaluated. */
export async function sourceOfModel(name: string, model: InferenceModel): Promise<ModelSource> {
  if (!isEsm2(model)) throw new UnsupportedError(`${name}: models of this family cannot be trained yet.`);
  return esm2Source(name, model);
}

const isEsm2 = (model: InferenceModel): model is Esm2 => "config" in model && "buffers" in model;

async function esm2Source(name: string, model: Esm2): Promise<ModelSource> {
  const { esm2ConfigText } = await import("@cloze/models/esm2"), { config } = model;
  return {
    name, model, configText: esm2ConfigText(config), buffers: model.buffers, maxLength: config.maxPositions - 2,
    // The contact head is not trained here; a checkpoint holds it all the same, so that the Hub layout is whole.
    extraParameters: parametersOf((scope) => {
      const inputs = encoderInputs(scope.graph, 1, 4);
      model.contacts(scope, inputs, model.outputs(scope, inputs).attentions);
    }),
  };
}

/** The parameters a checkpoint of the model holds: those of the loss, and those that ride along. */
export function parametersOfSource(source: ModelSource): ReadonlyMap<string, Parameter> {
  return new Map([...maskedLmParameters(source.model), ...(source.extraParameters ?? [])]);
}
