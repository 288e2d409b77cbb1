/**
 * A checkpoint folder as a model that can be run: config.json says which family, the family says how its tensors are read.
 *
 * Read as Python's transformers reads it: tensors under their names of old, tied copies, rotary frequencies that a checkpoint
 * brings along, a bare encoder without the prefix of the model around it. Heads may be missing, of which only their use is an
 * error; encoder layers that the model does not know are one at once.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { toFloat32 } from "@cloze/checkpoint";
import { openCheckpointTensors, readJson, type CheckpointTensors } from "@cloze/checkpoint/node";
import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import { sameShape, showShape, type HostTensor, type HostTensors } from "@cloze/graph";
import type { InferenceModel } from "@cloze/inference";
import type { CheckpointNotes } from "@cloze/models/esm2";
import { encoderInputs, parametersOf, type Parameter } from "@cloze/nn";
import { didYouMean } from "./suggest.ts";

export interface LoadedModel {
  readonly dir: string;
  /** `model_type` of config.json. */
  readonly family: string;
  readonly model: InferenceModel;
  readonly weights: HostTensors;
  readonly configJson: Readonly<Record<string, unknown>>;
  /** Most tokens, start and end included, that it was trained on at once. */
  readonly maxLength: number;
  readonly padId: number;
}

/** What a family makes of config.json, and how its checkpoints are to be read. */
interface Opened extends Pick<LoadedModel, "model" | "maxLength" | "padId"> {
  readonly encoder: ReadonlyMap<string, Parameter>;
  /** May be missing in a checkpoint. */
  readonly heads: ReadonlyMap<string, Parameter>;
  readonly notes: CheckpointNotes;
  /** What stands before the encoder's tensors, and is missing where the encoder was saved alone. */
  readonly prefix: string;
}

/** How a family opens a folder, by `model_type`: the only list of them. */
const FAMILIES: Readonly<Record<string, (json: unknown, file: string, tensors: CheckpointTensors) => Promise<Opened>>> = { esm: openEsm2 };

export async function loadModel(dir: string): Promise<LoadedModel> {
  const file = join(dir, "config.json"), json = await readConfig(dir, file), { model_type: type } = json;
  const open = typeof type === "string" && Object.hasOwn(FAMILIES, type) ? FAMILIES[type] : undefined;
  if (typeof type !== "string" || open === undefined) {
    const names = Object.keys(FAMILIES);
    throw new UnsupportedError(`${file}, model_type: expected ${names.map((name) => JSON.stringify(name)).join(" or ")}, got ${type === undefined ? "nothing" : JSON.stringify(type)}.${typeof type === "string" ? didYouMean(type, names) : ""} Other families cannot be opened yet.`);
  }
  await expectSafetensors(dir);
  const tensors = await openCheckpointTensors(dir);
  try {
    const opened = await open(json, file, tensors);
    return { dir, family: type, model: opened.model, maxLength: opened.maxLength, padId: opened.padId, configJson: json, weights: await readWeights(dir, tensors, opened) };
  } finally {
    await tensors.close();
  }
}

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;

async function readConfig(dir: string, file: string): Promise<Readonly<Record<string, unknown>>> {
  const found = await stat(dir).catch(() => undefined);
  if (found === undefined) throw new ConfigError(`${dir}: expected a checkpoint folder, found nothing there. Check the path.`);
  if (!found.isDirectory()) throw new ConfigError(`${dir}: expected a checkpoint folder, got a file. Name the folder that holds config.json and model.safetensors.`);
  if (!(await exists(file))) throw new ConfigError(`${dir}: expected a checkpoint folder, got one without config.json. It holds the model's sizes: copy it beside the weights.`);
  const json = await readJson(file);
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new FormatError(file, "", `expected an object, got ${JSON.stringify(json).slice(0, 40)}.`);
  return json as Readonly<Record<string, unknown>>;
}

/** Pickled weights run code when they are read; so they are not. */
async function expectSafetensors(dir: string): Promise<void> {
  if ((await exists(join(dir, "model.safetensors"))) || (await exists(join(dir, "model.safetensors.index.json")))) return;
  for (const name of ["pytorch_model.bin", "pytorch_model.bin.index.json"]) {
    if (!(await exists(join(dir, name)))) continue;
    throw new UnsupportedError(`${dir}: expected model.safetensors, got ${name}, a pickle, which can run code. Convert it in Python: AutoModelForMaskedLM.from_pretrained(DIR).save_pretrained(DIR)`);
  }
  throw new ConfigError(`${dir}: expected model.safetensors, got none. Is the download complete?`);
}

async function openEsm2(json: unknown, file: string, tensors: CheckpointTensors): Promise<Opened> {
  const { esm2, esm2Checkpoint: notes, parseEsm2Config, ropeFrequenciesFrom } = await import("@cloze/models/esm2");
  const config = parseEsm2Config(json, file), prefix = "esm.";
  const names = [...tensors.entries.keys()], stored = names.find((name) => notes.ropeFrequencies.test(name) || notes.ropeFrequencies.test(prefix + name));
  const entry = stored === undefined ? undefined : tensors.entries.get(stored);
  const frequencies = stored === undefined || entry === undefined ? undefined : ropeFrequenciesFrom(config, toFloat32(entry.dtype, await tensors.read(stored)), entry.file);
  const model = esm2(config, frequencies === undefined ? {} : { ropeFrequencies: frequencies });
  const encoder = parametersOf((scope) => model.encode(scope, encoderInputs(scope.graph, 1, 4)));
  const all = parametersOf((scope) => {
    const inputs = encoderInputs(scope.graph, 1, 4), { last, attentions } = model.outputs(scope, inputs);
    model.predict(scope, last.reshape([-1, model.hidden]));
    model.contacts(scope, inputs, attentions);
  });
  const heads = new Map([...all].filter(([name]) => !encoder.has(name)));
  return { model, encoder, heads, notes, prefix, maxLength: config.maxPositions - 2, padId: config.padTokenId };
}

/** Throws FormatError naming the first tensor that is missing, of another shape, there twice, or of another encoder. */
async function readWeights(dir: string, tensors: CheckpointTensors, { encoder, heads, notes, prefix }: Opened): Promise<HostTensors> {
  const fail = (name: string, message: string): never => { throw new FormatError(dir, `tensor "${name}"`, message); };
  const bare = ![...tensors.entries.keys()].some((name) => name.startsWith(prefix)), byParameter = new Map<string, string>(), parameters = new Map([...encoder, ...heads]);
  for (const name of tensors.entries.keys()) {
    const full = bare && !parameters.has(name) ? prefix + name : name, [pattern, replacement] = notes.renamed.find(([from]) => from.test(full)) ?? [];
    const parameter = pattern === undefined ? full : full.replace(pattern, replacement ?? ""), twin = byParameter.get(parameter);
    if (twin !== undefined) fail(name, `the same parameter as "${twin}", which is there too. Remove one of them.`);
    byParameter.set(parameter, name);
  }
  const read = async (name: string): Promise<Float32Array<ArrayBuffer>> => toFloat32((tensors.entries.get(name) as { readonly dtype: Parameters<typeof toFloat32>[0] }).dtype, await tensors.read(name));
  const weights: Record<string, HostTensor> = {};
  for (const [parameter, { shape }] of parameters) {
    const name = byParameter.get(parameter), entry = name === undefined ? undefined : tensors.entries.get(name);
    if (name === undefined || entry === undefined) {
      if (heads.has(parameter)) continue;
      return fail(parameter, `expected ${showShape(shape)}, got no such tensor. Is this a checkpoint of another model? It holds: ${[...tensors.entries.keys()].slice(0, 5).join(", ")}, ….`);
    }
    if (!sameShape(entry.shape, shape)) fail(name, `expected ${showShape(shape)}, got ${showShape(entry.shape)}. Check that config.json belongs to these tensors.`);
    weights[parameter] = { dtype: "f32", shape, data: await read(name) };
  }
  for (const [parameter, name] of byParameter) {
    const original = notes.tied[parameter], tied = original === undefined || parameters.has(parameter) ? undefined : weights[original];
    if (tied !== undefined) {
      const copy = await read(name);
      if (copy.length !== tied.data.length || copy.some((x, i) => x !== tied.data[i])) fail(name, `expected a copy of "${original}", got other numbers. Set tie_word_embeddings to false in config.json if they are not tied.`);
    } else if (!parameters.has(parameter) && parameter.startsWith(prefix) && ![...notes.ignored, ...notes.optional, notes.ropeFrequencies, /\.pooler\./].some((pattern) => pattern.test(parameter))) {
      fail(name, "the model of config.json has no such parameter. Check that the two belong together.");
    }
  }
  return weights;
}
