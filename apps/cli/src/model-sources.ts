/** `--model`: a published size by name, or a config.json of one's own, as the trainer takes it. The models are named here only. */
import { ConfigError, UnsupportedError } from "@cloze/errors";
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
  const { esm2Configs } = await import("@cloze/models/esm2");
  const name = Object.keys(esm2Configs).find((each) => each === model);
  if (name !== undefined) return esm2Source(name, esm2Configs[name as keyof typeof esm2Configs], zeroInitHead);
  if (!model.endsWith(".json")) {
    const names = Object.keys(esm2Configs);
    throw new ConfigError(`--model ${model}: expected ${names.join(", ")} or a config.json.${didYouMean(model, names)}`);
  }
  const { readJson } = await import("@cloze/checkpoint/node");
  return sourceOfConfig(await readJson(path(model)), model, zeroInitHead);
}

/** The model that a config.json describes. `file` names it in messages. */
export async function sourceOfConfig(json: unknown, file: string, zeroInitHead = false): Promise<ModelSource> {
  const { parseEsm2Config } = await import("@cloze/models/esm2");
  const type = typeof json === "object" && json !== null && "model_type" in json ? json.model_type : undefined;
  if (type !== undefined && type !== "esm") throw new UnsupportedError(`${file}: model_type ${JSON.stringify(type)}: expected "esm". Other families are not here yet.`);
  return esm2Source(file, parseEsm2Config(json, file), zeroInitHead);
}

async function esm2Source(name: string, config: Parameters<typeof import("@cloze/models/esm2").esm2>[0], zeroInitHead: boolean): Promise<ModelSource> {
  const { esm2, esm2Checkpoint, esm2ConfigJson, flopsPerToken } = await import("@cloze/models/esm2");
  const { encoderInputs, parametersOf } = await import("@cloze/nn");
  const model = esm2(config, { zeroInitHead });
  return {
    name, model, configJson: esm2ConfigJson(config), maxLength: config.maxPositions - 2,
    ignored: [...esm2Checkpoint.ignored, ...Object.keys(esm2Checkpoint.tied).map(exactly), esm2Checkpoint.ropeFrequencies],
    // The contact head is not trained here; a checkpoint holds it all the same, so that the Hub layout is whole.
    extraParameters: parametersOf((scope) => {
      const inputs = encoderInputs(scope.graph, 1, 4);
      model.contacts(scope, inputs, model.outputs(scope, inputs).attentions);
    }),
    flopsPerToken: (length) => flopsPerToken(config, length),
  };
}

const exactly = (name: string): RegExp => new RegExp(`^${name.replaceAll(".", "\\.")}$`);
