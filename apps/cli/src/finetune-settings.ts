/** The options of `cloze finetune` in force, and the settings that they make of a run. */
import { ConfigError } from "@cloze/errors";
import type { AnyTaskOptions, TaskKind } from "@cloze/tasks";
import type { FineTuneSettings } from "@cloze/tasks/node";
import type { Context } from "./command.ts";
import { FINETUNE_OPTIONS } from "./finetune-options.ts";
import { flag, type Values } from "./options.ts";
import { readRunConfig } from "./run-folder.ts";
import { readInputs } from "./run-inputs.ts";

export type FinetuneOptions = Values<typeof FINETUNE_OPTIONS>;
export type FinetuneContext = Pick<
  Context<typeof FINETUNE_OPTIONS>,
  "options" | "given" | "json" | "io" | "path" | "print" | "note"
>;

/**
 * Options that may change when a run is resumed. They decide only where it computes; any other change makes another
 * run.
 */
const MAY_CHANGE: ReadonlySet<string> = new Set(["backend", "threads", "resume", "acceptChangedData", "out"]);

/** Options that name files, which may have moved. The same content is required, not the same path. */
export const MOVABLE: ReadonlySet<string> = new Set(["data", "valid", "from"]);

/** The options of runs of earlier versions, which took their data as it was. Later runs save their own. */
const BEFORE_LOOKING: ReadonlyMap<string, unknown> = new Map([
  ["splitColumn", "none"],
  ["similarLabels", "keep"],
]);

/** The options in force: those given now, over those that a resumed run saved. */
export async function resolve(
  { options, given }: FinetuneContext,
  run: string,
): Promise<{ readonly options: FinetuneOptions; readonly resuming: boolean }> {
  if (options.resume === undefined) return { options, resuming: false };
  const merged: Record<string, unknown> = { ...options };
  const recorded = (await readInputs(run)) !== undefined;
  const saved = new Map<string, unknown>([...BEFORE_LOOKING, ...(await readRunConfig(run, FINETUNE_OPTIONS))]);
  for (const [key, value] of saved) {
    if (!given.has(key)) merged[key] = value;
    else if (MOVABLE.has(key) && recorded)
      continue; // another path: checkInputs compares what is there
    else if (!MAY_CHANGE.has(key) && JSON.stringify(merged[key]) !== JSON.stringify(value))
      throw new ConfigError(
        `--resume: the run was made with ${flag(key)} ${String(value)}, this says ${String(merged[key])}. Leave ` +
          "it out, or start a new run.",
      );
  }
  return { options: merged as FinetuneOptions, resuming: true };
}

/** Options that apply to some kinds of task only, with these kinds. */
const ONLY_FOR: Readonly<Record<string, readonly TaskKind[]>> = {
  labels: ["text-classification", "multi-label", "token-classification"],
  classWeights: ["text-classification", "multi-label", "token-classification"],
  threshold: ["multi-label", "question-answering"],
  noAnswer: ["question-answering"],
  tagScheme: ["token-classification"],
};

export function checkOptions(kind: TaskKind, given: ReadonlySet<string>): void {
  for (const [key, kinds] of Object.entries(ONLY_FOR)) {
    if (given.has(key) && !kinds.includes(kind))
      throw new ConfigError(`${flag(key)}: expected a task of ${kinds.join(", ")}, got ${kind}. Leave it out.`);
  }
}

/** The options in the form that `--config` reads, which takes no empty lists. */
export function savedOptions(options: FinetuneOptions): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries({ ...options, out: undefined, resume: undefined, acceptChangedData: undefined }).filter(
      ([, value]) => !(Array.isArray(value) && value.length === 0),
    ),
  );
}

export function taskOptions({ labels, classWeights, threshold, noAnswer, tagScheme }: FinetuneOptions): AnyTaskOptions {
  return {
    ...(tagScheme !== "auto" && { scheme: tagScheme }),
    ...(labels.length > 0 && { labels }),
    ...(classWeights !== undefined && { classWeights: weightsOf(classWeights) }),
    ...(threshold !== undefined && { threshold }),
    ...(noAnswer && { noAnswer }),
  };
}

function weightsOf(text: string): Readonly<Record<string, number>> | "balanced" {
  if (text === "balanced") return text;
  return Object.fromEntries(
    text.split(",").map((part) => {
      const at = part.lastIndexOf("=");
      const weight = Number(part.slice(at + 1));
      if (at < 1 || part.slice(at + 1).trim() === "" || !Number.isFinite(weight))
        throw new ConfigError(
          `--class-weights: expected balanced, or label=number between commas, got ${JSON.stringify(part)}.`,
        );
      return [part.slice(0, at), weight];
    }),
  );
}

/** Parses `--columns`: `text,label` or `text=review,label=stars`. */
export function columnsOf(text: string | undefined): {
  readonly columns?: readonly string[] | Readonly<Record<string, string>>;
} {
  if (text === undefined) return {};
  const parts = text.split(",").map((part) => part.trim());
  const pairs = parts.filter((part) => part.includes("="));
  if (pairs.length > 0 && pairs.length < parts.length)
    throw new ConfigError(
      `--columns: expected names between commas, or ours=theirs for each, got ${JSON.stringify(text)}.`,
    );
  return {
    columns:
      pairs.length > 0
        ? Object.fromEntries(parts.map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]))
        : parts,
  };
}

const LOWER: ReadonlySet<string> = new Set(["loss", "mse", "rmse", "mae", "hammingLoss"]);

export function settingsOf({
  epochs,
  batch,
  accumulate,
  lr,
  warmup,
  weightDecay,
  layerDecay,
  clip,
  schedule,
  precision,
  ...options
}: FinetuneOptions): FineTuneSettings {
  const { freeze, maxLength, evalEvery, patience, metric } = options;
  return {
    epochs,
    batch,
    accumulate,
    lr,
    schedule,
    warmup,
    weightDecay,
    layerDecay,
    clip,
    compute: precision,
    similarLabels: options.similarLabels,
    ...(freeze !== undefined && { freeze }),
    ...(maxLength !== undefined && { maxLength }),
    ...(evalEvery !== undefined && { evalEvery }),
    ...(patience !== undefined && { patience }),
    ...(metric !== undefined && {
      metric: { metric, better: LOWER.has(metric) ? ("lower" as const) : ("higher" as const) },
    }),
  };
}
