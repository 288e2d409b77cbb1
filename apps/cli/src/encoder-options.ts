/**
 * Shared steps of the commands that run a trained model: the model, its tokenizer, its backend, and the file to write.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { createEncoder, type SequenceEncoder } from "@cloze/inference";
import type { Tokenizer } from "@cloze/tokenizer";
import { chooseBackend, type BackendChoice } from "./backends.ts";
import type { Context } from "./command.ts";
import { checkpointFolder } from "./run-folder.ts";
import { loadModel, type LoadedModel } from "./model-files.ts";
import { tokenizerBeside, tokenizerNamed } from "./tokenizer-of-model.ts";

export interface EncoderSettings {
  readonly checkpoint: string;
  readonly backend: string;
  readonly threads: number | undefined;
  readonly batchTokens: number;
}

export interface StartedEncoder {
  readonly encoder: SequenceEncoder;
  /** The backend's name. */
  readonly backend: string;
}

/** The path of `--out`. Makes its folder if need be. */
export async function outputFile(out: string, path: Context["path"]): Promise<string> {
  const file = path(out);
  await mkdir(dirname(file), { recursive: true });
  return file;
}

/** The model of `--checkpoint`: a checkpoint folder, or a run folder, which stands for its newest checkpoint. */
export async function modelOf(
  { checkpoint }: Pick<EncoderSettings, "checkpoint">,
  path: Context["path"],
): Promise<LoadedModel> {
  return loadModel(await checkpointFolder(path(checkpoint)));
}

/** The tokenizer of `--tokenizer`; without it, the tokenizer beside the weights. */
export function tokenizerOf(
  named: string | undefined,
  loaded: LoadedModel,
  { path, note }: Pick<Context, "path" | "note">,
): Promise<Tokenizer> {
  return named === undefined ? tokenizerBeside(loaded, note) : tokenizerNamed(named, loaded, path, note);
}

/** Uploads the weights to the backend, runs `use`, and frees both. `note` gets the line that names the backend. */
export async function withEncoder<T>(
  settings: EncoderSettings,
  { model, weights, padId }: LoadedModel,
  tokenizer: Tokenizer | undefined,
  note: Context["note"],
  use: (started: StartedEncoder) => Promise<T>,
): Promise<T> {
  const { backend, name, place } = await chooseBackend(
    settings.backend as BackendChoice,
    settings.threads === undefined ? {} : { threads: settings.threads },
  );
  note(place);
  try {
    const encoder = await createEncoder({
      backend,
      model,
      weights,
      padId,
      tokensPerBatch: settings.batchTokens,
      ...(tokenizer && { tokenizer }),
    });
    try {
      return await use({ encoder, backend: name });
    } finally {
      await encoder.dispose();
    }
  } finally {
    await backend.dispose();
  }
}
