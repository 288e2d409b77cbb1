/**
 * The stages of a pretraining run: the values of `--batch-tokens`, `--max-length`, `--window`, `--rope-base` and
 * `--objective` over the run.
 *
 * The parts of a step hold the same number of tokens in every stage. A larger step has more parts, and a part of longer
 * rows has fewer rows. So a growing batch compiles nothing new, and from the start memory is that of the longest rows.
 */
import { ConfigError } from "@cloze/errors";
import type { PackedBatches } from "@cloze/data";
import type { Variation } from "@cloze/models/families";
import type { Objective } from "@cloze/objective";
import { heldSchedule, parsePoints, type Progress, type ValueSchedule } from "@cloze/schedule";
import type { Stage, Stages, Until } from "@cloze/trainer";
import { flag, kebab } from "./options.ts";

export interface StageOptions {
  readonly batchTokens: number | string;
  readonly accumulate: number | undefined;
  readonly maxLength: number | string;
  readonly window: number | string | undefined;
  readonly ropeBase: number | string | undefined;
  readonly objective: string;
}

/** Options whose changes make stages. */
export const CHANGING = ["batchTokens", "maxLength", "window", "ropeBase", "objective"] as const;
type Changing = (typeof CHANGING)[number];
type Values = { readonly [K in Changing]?: number | string };

/** The schedule of each of these options over the run. An option that is not set is absent. */
export type HeldOptions = { readonly [K in Changing]?: ValueSchedule<number | string> };

export function heldOptions(options: StageOptions): HeldOptions {
  return Object.fromEntries(
    CHANGING.flatMap((key) => {
      const value = options[key];
      const where = flag(key);
      if (value === undefined) return [];
      const read = (word: string): number | string => (key === "objective" ? word : Number(word));
      return [[key, heldSchedule(parsePoints(String(value), read, { where, expected: "a value" }), { where })]];
    }),
  );
}

/** The values that an option takes in the run. */
export const valuesOf = <T extends number | string>(held: ValueSchedule<T> | undefined): readonly T[] =>
  held?.points.map(({ value }) => value) ?? [];

const isChanging = (held: ValueSchedule<number | string> | undefined): boolean => (held?.points.length ?? 0) > 1;

/** Whether the steps of the run may differ in size. Epochs then differ in their number of steps. */
export const changesRows = ({ batchTokens, maxLength }: HeldOptions): boolean =>
  isChanging(batchTokens) || isChanging(maxLength);

/**
 * Most tokens of a part if the user does not set the number of parts. A smaller part fits the caches of a CPU better,
 * and memory grows with the part.
 */
const PART_TOKENS = 2048;

export interface RunShape {
  /** The longest row of the run. */
  readonly maxLength: number;
  /** Parts of the smallest step. */
  readonly accumulate: number;
  /** Number of rows in a part, for rows of this length. */
  rowsOf(length: number): number;
  /** Number of parts in a step of this many tokens. */
  partsOf(batchTokens: number): number;
}

/**
 * The rows and parts of the steps. By default the smallest step has the fewest parts of at most PART_TOKENS each; a
 * part has at least one row. All parts are equal, so a step may be a few rows short. Throws ConfigError for rows that
 * are too long for the model, or longer than a step.
 */
export function runShape({ accumulate: given }: StageOptions, held: HeldOptions, longest: number): RunShape {
  const lengths = valuesOf(held.maxLength) as readonly number[];
  const tooLong = lengths.length > 1 ? lengths.find((length) => length > longest) : undefined;
  if (tooLong !== undefined)
    throw new ConfigError(
      `--max-length: expected at most ${longest}, the longest row of the model, got ${tooLong}. Lower it, or ` +
        "raise max_position_embeddings in a config.json.",
    );
  const maxLength = Math.min(Math.max(...lengths), longest);
  const smallest = Math.min(...(valuesOf(held.batchTokens) as readonly number[]));
  const rows = Math.floor(smallest / (given ?? 1) / maxLength);
  if (rows < 1) {
    const part = given === undefined ? "" : ` in ${given} parts are ${Math.floor(smallest / given)} tokens, which`;
    throw new ConfigError(
      `pretrain: --batch-tokens ${smallest}${part} is less than one row of --max-length ${maxLength}. Raise ` +
        `--batch-tokens, or lower --max-length${given === undefined ? "" : " or --accumulate"}.`,
    );
  }
  const accumulate = given ?? Math.min(rows, Math.ceil((rows * maxLength) / PART_TOKENS));
  const rowsPerPart = given === undefined ? Math.floor(rows / accumulate) : rows;
  const tokens = rowsPerPart * maxLength;
  return {
    maxLength,
    accumulate,
    rowsOf: (length) => Math.floor(tokens / Math.min(length, longest)),
    partsOf: (batchTokens) => (batchTokens === smallest ? accumulate : Math.max(1, Math.round(batchTokens / tokens))),
  };
}

export interface StageRequest {
  readonly held: HeldOptions;
  readonly shape: RunShape;
  readonly until: Until;
  readonly source: Stage["source"] & { vary(settings: Variation): Stage["source"] };
  readonly objectives: ReadonlyMap<string, Objective>;
  /** Batches by the length of their rows. */
  readonly batches: ReadonlyMap<number, PackedBatches>;
}

/** All stages that the run can reach; one stage if nothing changes. */
export function runStages({ held, shape, until, source, objectives, batches }: StageRequest): Stages {
  const sources = new Map<string, Stage["source"]>();
  const stages = new Map<string, Stage>();
  const sourceOf = (window: number | undefined, ropeBase: number | undefined): Stage["source"] => {
    if (window === undefined && ropeBase === undefined) return source;
    const key = `${window} ${ropeBase}`;
    const made =
      sources.get(key) ??
      source.vary({ ...(window !== undefined && { window }), ...(ropeBase !== undefined && { ropeBase }) });
    sources.set(key, made);
    return made;
  };
  const at = (progress: Progress): Stage => {
    const now: Values = Object.fromEntries(
      CHANGING.flatMap((key) => (held[key] === undefined ? [] : [[key, held[key].at(progress)]])),
    );
    const values = Object.fromEntries(Object.entries(now).filter(([key]) => isChanging(held[key as Changing])));
    const key = JSON.stringify(values);
    const known = stages.get(key);
    if (known !== undefined) return known;
    const { batchTokens, maxLength, window, ropeBase, objective } = now as {
      readonly batchTokens: number;
      readonly maxLength: number;
      readonly window?: number;
      readonly ropeBase?: number;
      readonly objective: string;
    };
    const stage: Stage = {
      source: sourceOf(window, ropeBase),
      objective: objectives.get(objective) as Objective,
      batches: batches.get(Math.min(maxLength, shape.maxLength)) as PackedBatches,
      accumulate: shape.partsOf(batchTokens),
      values,
    };
    stages.set(key, stage);
    return stage;
  };
  return { all: [...new Set(places(held, until).map(at))], at };
}

/**
 * The points of progress where a value may change, in order. In a run of tokens or time the steps of a share are not
 * known, so the points are all pairs of a step and a share.
 */
function places(held: HeldOptions, until: Until): readonly Progress[] {
  const all = [0, ...CHANGING.flatMap((key) => (held[key]?.points ?? []).map(({ at }) => at))].sort((a, b) => a - b);
  const shares = all.filter((at) => at <= 1);
  const steps = all.filter((at) => at === 0 || at > 1);
  if (!("steps" in until)) return shares.flatMap((share) => steps.map((step): Progress => ({ step, share })));
  const total = until.steps;
  const around = [...shares.flatMap((share) => [-1, 0, 1].map((d) => Math.round(share * total) + d)), ...steps];
  return around
    .filter((step) => step >= 0 && step < total)
    .sort((a, b) => a - b)
    .map((step): Progress => ({ step, share: step / total }));
}

/** The options that change, in words: `window 0:64,0.5:128`. Empty if none changes. */
export function stagesInWords(held: HeldOptions): string {
  return CHANGING.filter((key) => isChanging(held[key]))
    .map((key) => `${kebab(key)} ${held[key]?.points.map(({ at, value }) => `${at}:${value}`).join(",")}`)
    .join("; ");
}

/** The values of a stage, from the row of metrics.jsonl where the stage begins. Empty for other rows. */
export function toldIn(row: Readonly<Record<string, unknown>>): string {
  return CHANGING.flatMap((key) =>
    typeof row[key] === "number" || typeof row[key] === "string" ? [`${kebab(key)} ${row[key]}`] : [],
  ).join(", ");
}
