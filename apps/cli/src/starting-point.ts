/** The starting point of a pretraining run: the model, with the head that its objective requires, and its weights. */
import { relative } from "node:path";
import { ConfigError, FormatError } from "@cloze/errors";
import { sameShape, showShape, type HostTensor } from "@cloze/graph";
import type { HeadModels } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { checkModel, type Objective } from "@cloze/objective";
import type { Tokenizer } from "@cloze/tokenizer";
import { loadTrainerState, newestCheckpoint, type TrainOptions, type Weights } from "@cloze/trainer";
import { loadModel, type LoadedModel } from "./model-files.ts";
import { readObject } from "./options.ts";
import {
  madeFor,
  modelSource,
  parametersOfSource,
  sourceOfModel,
  type ModelRequest,
  type VariedSource,
} from "./model-sources.ts";
import { loadFor } from "./resize-vocabulary.ts";
import { checkpointFolder } from "./run-folder.ts";

type Source = VariedSource<HeadModels[keyof HeadModels]>;

export interface StartingPoint extends Pick<TrainOptions, "weights" | "resume" | "restart"> {
  readonly source: Source;
  /** Lines for the user about the start. */
  readonly said: readonly string[];
}

export interface StartRequest {
  readonly options: {
    readonly model: string;
    readonly modelOptions: string;
    readonly from: string | undefined;
    readonly seed: number;
    readonly zeroInitHead: boolean;
  };
  /** Whether the user set `--model`. */
  readonly modelGiven: boolean;
  readonly objective: Objective;
  readonly tokenizer: Tokenizer;
  readonly run: string;
  readonly resuming: boolean;
  readonly path: (given: string) => string;
  readonly cwd: string;
}

/** The model and its weights: from the newest checkpoint of a resumed run, from `--from`, or new ones. */
export async function startingPoint({
  options,
  modelGiven,
  objective,
  tokenizer,
  run,
  resuming,
  path,
  cwd,
}: StartRequest): Promise<StartingPoint> {
  const dir = resuming ? await newestCheckpoint(run) : undefined;
  const modelOptions = readObject(options.modelOptions);
  const request = { model: options.model, modelOptions, path, ...madeFor(tokenizer, options.model) };
  if (dir !== undefined) {
    const { optimizer, state } = await loadTrainerState(dir);
    const loaded = await loadModel(dir);
    const source = sourceFor(objective, options.from ?? options.model, loaded);
    const { weights, missing } = weightsFrom(loaded, source, objective, options);
    if (missing.length > 0)
      throw new FormatError(
        dir,
        `tensor "${missing[0]}"`,
        "expected this parameter, got no such tensor. Was the checkpoint changed? Remove it to resume from the " +
          "one before.",
      );
    return {
      source,
      weights,
      resume: { optimizer, state, dir },
      said: [`resuming ${relative(cwd, run) || run} after step ${state.step}`],
    };
  }
  // A run that was killed before its first checkpoint begins again, and computes the same numbers.
  const restart = resuming;
  if (options.from === undefined) {
    const source = await newSource(objective, { ...request, zeroInitHead: options.zeroInitHead });
    return {
      source,
      weights: initialize(parametersOfSource(source, objective.requires), options.seed),
      restart,
      said: [],
    };
  }
  if (!modelGiven && Object.keys(modelOptions).length > 0)
    throw new ConfigError(
      "--model-options: with --from expected --model, whose keys are changed, got none. Name the model too, or " +
        "leave --model-options out.",
    );
  const { loaded, said } = await loadFor(await checkpointFolder(path(options.from)), tokenizer, options.seed);
  const source = modelGiven
    ? await newSource(objective, { ...request, zeroInitHead: false })
    : sourceFor(objective, options.from, loaded);
  const { weights, missing } = weightsFrom(loaded, source, objective, options);
  return {
    source,
    weights,
    restart,
    said: [...said, ...(missing.length > 0 ? [`${options.from} has no ${missing.join(", ")}: new ones`] : [])],
  };
}

async function newSource(objective: Objective, request: ModelRequest): Promise<Source> {
  const plain = await modelSource(request);
  checkModel(objective, plain.model, plain.name);
  return modelSource(request, objective.requires);
}

function sourceFor(objective: Objective, name: string, loaded: LoadedModel): Source {
  checkModel(objective, loaded.model, name);
  return sourceOfModel(name, loaded, objective.requires);
}

/**
 * The weights of a model: the checkpoint's tensors, and new ones for the `missing` parameters, which the checkpoint
 * does not have.
 */
function weightsFrom(
  loaded: LoadedModel,
  source: Source,
  { requires }: Objective,
  { model, seed }: StartRequest["options"],
): { readonly weights: Weights; readonly missing: readonly string[] } {
  const parameters = parametersOfSource(source, requires);
  const missing = new Map([...parameters].filter(([name]) => loaded.weights[name] === undefined));
  const fresh = initialize(missing, seed);
  const weights: Record<string, HostTensor> = {};
  for (const [name, { shape }] of parameters) {
    const tensor = (loaded.weights[name] ?? fresh[name]) as HostTensor;
    if (!sameShape(tensor.shape, shape))
      throw new FormatError(
        loaded.dir,
        `tensor "${name}"`,
        `expected ${showShape(shape)} for --model ${model}, got ${showShape(tensor.shape)}. Leave --model out to ` +
          "take the checkpoint's own.",
      );
    weights[name] = tensor;
  }
  return { weights, missing: [...missing.keys()] };
}
