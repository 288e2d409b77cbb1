/** A pretraining run before it begins: its folder, its options in force, and what it reads. */
import { ConfigError } from "@cloze/errors";
import type { InputsRequest } from "./check-inputs.ts";
import type { Context } from "./command.ts";
import type { NamedData } from "./data-sources.ts";
import { tokenizerOfModel } from "./model-tokenizer.ts";
import { withUsualRate } from "./optimizers.ts";
import { flag, showValue, type Values } from "./options.ts";
import { PRETRAIN_OPTIONS, RESUME_MAY_CHANGE } from "./pretrain-options.ts";
import { inExistingRun, inNewRun } from "./run-claim.ts";
import { checkpointFolder, newestRun, readRunConfig } from "./run-folder.ts";
import { readInputs } from "./run-inputs.ts";
import { heldOptions, valuesOf } from "./run-stages.ts";
import { holdsTokenizer } from "./tokenizers.ts";

export type PretrainOptions = Values<typeof PRETRAIN_OPTIONS>;
export type PretrainContext = Pick<
  Context<typeof PRETRAIN_OPTIONS>,
  "options" | "given" | "json" | "io" | "path" | "print" | "note"
> & {
  /** The name of a new run's folder in `runs/`. Default: the model's. */
  readonly runName?: string;
};

/**
 * All options in the form that `--config` reads: durations have their unit, and `model` is left out if it is that of
 * `--from`.
 */
export function savedOptions(options: PretrainOptions, given: ReadonlySet<string>): Record<string, unknown> {
  return {
    ...options,
    out: undefined,
    plan: undefined,
    resume: undefined,
    acceptChangedData: undefined,
    ...(options.from !== undefined && !given.has("model") ? { model: undefined } : {}),
    ...(options.budget === undefined ? {} : { budget: showValue(PRETRAIN_OPTIONS.budget, options.budget) }),
  };
}

/** The folder of the run to resume. */
export async function resumedRun({ options, io, path }: PretrainContext): Promise<string> {
  if (options.resume !== "auto") return path(options.resume ?? "");
  return options.out !== undefined ? path(options.out) : await newestRun(io.cwd);
}

/** Runs `work` as the only writer of the run's folder. */
export async function inRunFolder<T>(context: PretrainContext, work: (run: string) => Promise<T>): Promise<T> {
  const { options, io, path, runName = options.model } = context;
  const where = "pretrain";
  if (options.resume === undefined)
    return inNewRun({ where, cwd: io.cwd, out: options.out && path(options.out), name: runName }, work);
  const run = await resumedRun(context);
  return inExistingRun(run, where, () => work(run));
}

/** The options in force: those given now, over those that a resumed run saved, over the defaults. */
export async function resolve(
  { options, given, path }: PretrainContext,
  run: string,
): Promise<{
  readonly options: PretrainOptions;
  readonly given: ReadonlySet<string>;
  readonly resuming: boolean;
}> {
  if (options.resume === undefined) {
    // A run from a checkpoint uses the tokenizer of this checkpoint, unless the user names another.
    const from =
      options.from === undefined || given.has("tokenizer") ? undefined : await checkpointFolder(path(options.from));
    const tokenizer =
      from !== undefined && (await holdsTokenizer(from))
        ? from
        : given.has("tokenizer") || options.data.length === 0
          ? options.tokenizer
          : await tokenizerOfModel(options.model, path, "pretrain");
    const clip = options.clipPercentile !== undefined && !given.has("clip") ? 0 : options.clip;
    return { options: { ...withUsualRate(options, given), tokenizer, clip }, given, resuming: false };
  }
  const saved = await readRunConfig(run, PRETRAIN_OPTIONS);
  const recorded = (await readInputs(run)) !== undefined;
  const merged: Record<string, unknown> = { ...options };
  const newEnd = ENDS.some((key) => given.has(key));
  for (const [key, value] of saved) {
    if (!given.has(key)) {
      if (!(newEnd && ENDS.some((end) => end === key))) merged[key] = value;
    } else if (MOVABLE.has(key) && recorded) {
      continue; // another path: checkInputs compares what is there
    } else if (!RESUME_MAY_CHANGE.has(key) && JSON.stringify(merged[key]) !== JSON.stringify(value)) {
      throw new ConfigError(
        `--resume: the run was made with ${flag(key)} ${String(value)}, this says ${String(merged[key])}. Leave ` +
          "it out, or start a new run with --from.",
      );
    }
  }
  return { options: merged as PretrainOptions, given: new Set([...given, ...saved.keys()]), resuming: true };
}

/** Options that name files, which may have moved. The same content is required, not the same path. */
export const MOVABLE: ReadonlySet<string> = new Set(["data", "from", "tokenizer", "model"]);

/** Options that set the length of a run. */
export const ENDS = ["steps", "epochs", "tokens", "budget"] as const;

/** What the run reads, and how it is compared with what it read before. */
export function inputsOf(
  { options: { acceptChangedData, resume }, io, path }: PretrainContext,
  {
    options,
    given,
    run,
    named,
  }: {
    readonly options: PretrainOptions;
    readonly given: ReadonlySet<string>;
    readonly run: string;
    readonly named: readonly NamedData[];
  },
): InputsRequest {
  const { from, model, tokenizer } = options;
  return {
    run,
    resuming: resume !== undefined,
    accept: acceptChangedData,
    mayBeGone: ["starting checkpoint", "model"],
    collect: async (reader) => [
      ...(await reader.data("training data", named)),
      ...(await reader.tokenizer(tokenizer, path)),
      ...(from === undefined ? [] : await reader.checkpoint(path(from))),
      ...(from === undefined || given.has("model") ? await reader.model(model, path) : []),
      ...(await reader.objectives(valuesOf(heldOptions(options).objective).map(String), io.cwd)),
    ],
  };
}
