/**
 * The course of a run, computed from its options before it starts: its length, and each quantity that changes on the
 * way.
 *
 * The batch size relates steps and tokens; the tokens of a batch include padding. A run of N steps has the sum of the
 * sizes of its batches as tokens. A run of N tokens has about N / (batch size) steps.
 */
import {
  hasPlaces,
  linearSchedule,
  parsePoints,
  pointsOfMap,
  type Point,
  type Progress,
  type ValueSchedule,
} from "@cloze/schedule";
import { formatCount, formatDuration } from "@cloze/trainer";
import { flag, kebab, readObject } from "./options.ts";
import { scheduleOf } from "./optimizers.ts";
import type { PretrainOptions } from "./pretrain.ts";
import { CHANGING, heldOptions, type HeldOptions } from "./run-stages.ts";

export interface RunCourse {
  /** Undefined if the number depends on the data, or on the machine. */
  readonly steps: number | undefined;
  /** Positions of all batches, padding included. */
  readonly tokens: number | undefined;
  /** The length of the run, in words. */
  readonly length: string;
  readonly quantities: readonly Quantity[];
}

export interface Quantity {
  readonly name: string;
  /** The value at a share of the run. Undefined if the schedule counts steps and the number of steps is not known. */
  at(share: number): number | string | undefined;
}

export function runCourse(options: PretrainOptions): RunCourse {
  const held = heldOptions(options);
  const length = lengthOf(options, held);
  const stepAt = stepsBy(options, held, length);
  const progressAt = (share: number): Progress => ({ step: Math.floor(stepAt(share) ?? NaN), share });
  const over = (name: string, values: ValueSchedule<number | string> | undefined): Quantity[] => {
    if (values === undefined || values.points.length < 2) return [];
    const inSteps = (values.points.at(-1)?.at ?? 0) > 1;
    return [
      { name, at: (share) => (inSteps && stepAt(share) === undefined ? undefined : values.at(progressAt(share))) },
    ];
  };
  const linear = (key: "weightDecay" | "muonMomentum"): Quantity[] =>
    over(kebab(key), linearSchedule(options[key], { where: flag(key) }));
  return {
    ...length,
    quantities: [
      ...learningRates(options),
      ...linear("weightDecay"),
      ...(options.optimizer === "muon" ? linear("muonMomentum") : []),
      ...CHANGING.flatMap((key) => over(kebab(key), held[key])),
      ...scheduledIn(readObject(options.objectiveOptions), []).flatMap(([name, points]) =>
        over(name, linearSchedule(points, { where: name })),
      ),
    ],
  };
}

type Length = Pick<RunCourse, "steps" | "tokens" | "length">;

function lengthOf({ steps, tokens, budget, epochs }: PretrainOptions, { batchTokens }: HeldOptions): Length {
  const sizeAt = (progress: Progress): number => Number(batchTokens?.at(progress));
  if (steps !== undefined) {
    let sum = 0;
    if (batchTokens?.points.length === 1) sum = steps * sizeAt({ step: 0, share: 0 });
    else for (let step = 0; step < steps; step++) sum += sizeAt({ step, share: step / steps });
    return { steps, tokens: sum, length: `${formatCount(steps)} steps` };
  }
  if (tokens !== undefined)
    return {
      steps: Math.round(walk(tokens, sizeAt).at(-1) as number),
      tokens,
      length: `${formatCount(tokens)} tokens`,
    };
  return {
    steps: undefined,
    tokens: undefined,
    length:
      budget !== undefined
        ? formatDuration(budget)
        : `${epochs ?? 1} epoch${epochs === undefined || epochs === 1 ? "" : "s"}`,
  };
}

const SLICES = 10_000;

/** The number of steps done at the start of each slice, and at the end, of a run of `tokens` tokens. */
function walk(tokens: number, sizeAt: (progress: Progress) => number): readonly number[] {
  const done = [0];
  for (let i = 0; i < SLICES; i++) {
    const step = done[i] as number;
    done.push(step + tokens / SLICES / sizeAt({ step, share: i / SLICES }));
  }
  return done;
}

function stepsBy(
  { steps, tokens }: PretrainOptions,
  { batchTokens }: HeldOptions,
  length: Length,
): (share: number) => number | undefined {
  if (steps !== undefined) return (share) => share * steps;
  if (tokens === undefined || length.steps === undefined) return () => undefined;
  const done = walk(tokens, (progress) => Number(batchTokens?.at(progress)));
  return (share) => done[Math.round(share * SLICES)];
}

/**
 * The learning rates over the run. Update t of the schedule is the step after t - 1 others, so the first step counts as
 * 1.
 */
function learningRates(options: PretrainOptions): Quantity[] {
  const { optimizer, lr, adamLr, schedule: shape, warmup, embeddingLr, headLr, steps, tokens, budget } = options;
  if (shape === "constant" && warmup === 0) return [];
  const total = steps ?? tokens ?? budget;
  const multiplier = scheduleOf(options);
  const rate = (name: string, peak: number): Quantity => ({
    name,
    at: (share) =>
      total === undefined
        ? warmup < 1
          ? peak * multiplier(Math.max(1, share * SLICES), SLICES)
          : undefined
        : peak * multiplier(Math.max(1, share * total), total),
  });
  return [
    rate("lr", lr),
    ...(optimizer === "muon"
      ? [
          rate("adam-lr", adamLr),
          ...(embeddingLr === undefined ? [] : [rate("embedding-lr", embeddingLr)]),
          ...(headLr === undefined ? [] : [rate("head-lr", headLr)]),
        ]
      : []),
  ];
}

/** Options of objectives that change over the run, each under its path: `mlm rate`. */
function scheduledIn(value: unknown, path: readonly string[]): readonly (readonly [name: string, points: string])[] {
  const shown = (points: readonly Point<unknown>[]): string =>
    points.map(({ at, value: each }) => `${at}:${String(each)}`).join(",");
  if (typeof value === "string" && hasPlaces(value))
    return [[path.join(" "), shown(parsePoints(value, Number, { where: path.join(" "), expected: "a number" }))]];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const entries = Object.entries(value as Readonly<Record<string, unknown>>);
  const isMap =
    entries.length > 0 && entries.every(([key, each]) => Number.isFinite(Number(key)) && typeof each === "number");
  if (isMap) return [[path.join(" "), shown(pointsOfMap(value as Readonly<Record<string, number>>, path.join(" ")))]];
  return entries.flatMap(([key, each]) => scheduledIn(each, [...path, key]));
}
