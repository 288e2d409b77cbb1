/** A model with new weights on purpose: the baseline that a trained model must beat. */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { encoderInputs, initialize, parametersOf } from "@cloze/nn";
import { readConfig, type LoadedModel } from "./model-files.ts";

/**
 * The encoder of a config.json, with its pooler, and weights drawn with `seed`. `given` is a config.json or its folder;
 * weights beside it are not read. Throws ConfigError if there is no config.json, and the errors of its reader.
 */
export async function untrainedModel(given: string, seed: number): Promise<LoadedModel> {
  const { openModel } = await import("@cloze/models/families");
  const isFile = (await stat(given).catch(() => undefined))?.isFile() === true;
  const dir = isFile ? dirname(given) : given;
  const file = isFile ? given : join(dir, "config.json");
  const configJson = await readConfig(dir, file);
  const opened = await openModel(configJson, { file });
  const { model } = opened;
  const parameters = parametersOf((scope) => {
    const states = model.encode(scope, encoderInputs(scope.graph, 1, 2));
    model.pool?.(scope, states.slice(1, 0, 1).reshape([1, model.hidden]));
  });
  return { ...opened, dir, configJson, weights: initialize(parameters, seed), heads: [] };
}
