/** What `cloze finetune` prints at its end: the figures of each seed, their mean and deviation, and the way on. */
import { join, relative } from "node:path";
import { writeJson } from "@cloze/checkpoint/node";
import type { TaskFigures } from "@cloze/tasks";
import type { FineTuned } from "@cloze/tasks/node";
import { formatDuration, formatInteger } from "@cloze/trainer";
import type { Result } from "./command.ts";
import { columns } from "./output.ts";

export interface SeedRun {
  readonly seed: number;
  readonly result: FineTuned;
  /** The verdict on the run. */
  readonly sentences: readonly string[];
  /** Figures over the test rows. */
  readonly test: TaskFigures | undefined;
}

export function stopped({ result }: FineTuned, place: string, exitCode: number): Result {
  return {
    json: { interrupted: true, steps: result.steps, run: place },
    exitCode,
    text: [`Stopped after step ${formatInteger(result.steps)} and saved. Go on with: cloze finetune --resume ${place}`],
  };
}

/** Mean and sample standard deviation of each figure. */
function spreadOf(all: readonly Readonly<Record<string, number>>[]): {
  readonly mean: Record<string, number>;
  readonly deviation: Record<string, number>;
} {
  const mean: Record<string, number> = {};
  const deviation: Record<string, number> = {};
  for (const name of Object.keys(all[0] ?? {})) {
    const values = all.map((figures) => figures[name] ?? NaN);
    const middle = values.reduce((a, b) => a + b, 0) / values.length;
    mean[name] = middle;
    deviation[name] = Math.sqrt(values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / Math.max(1, values.length - 1));
  }
  return { mean, deviation };
}

const TEST = "test ";

const testNames = (test: TaskFigures | undefined): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(test ?? {}).map(([name, value]) => [`${TEST}${name}`, value]));

export async function summary(task: string, runs: readonly SeedRun[], run: string, cwd: string): Promise<Result> {
  const place = (path: string | undefined): string => (path === undefined ? "" : relative(cwd, path) || path);
  const figures = runs.flatMap(({ result, test }) => {
    const both = { ...result.figures, ...testNames(test) };
    return Object.keys(both).length > 0 ? [both] : [];
  });
  const { mean, deviation } = spreadOf(figures);
  const valid = (all: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith(TEST)));
  const tests = runs.flatMap(({ test }) => test ?? []);
  const seeds = runs.map(({ seed, result, sentences, test }) => ({
    seed,
    verdict: sentences,
    figures: result.figures,
    ...(test && { test }),
    steps: result.result.steps,
    seconds: result.result.seconds,
    checkpoint: result.checkpoint,
  }));
  const json = {
    task,
    run,
    seeds,
    ...(runs.some(({ result }) => result.figures !== undefined) && {
      figures: valid(mean),
      ...(runs.length > 1 && { deviation: valid(deviation) }),
    }),
    ...(tests.length > 0 && { test: spreadOf(tests).mean }),
    verdict: [...new Set(seeds.flatMap((each) => each.verdict))],
    checkpoint: seeds[0]?.checkpoint,
  };
  if (runs.length > 1) await writeJson(join(run, "summary.json"), json);
  const seconds = seeds.reduce((sum, each) => sum + each.seconds, 0);
  const names = Object.keys(mean);
  const table =
    runs.length === 1
      ? names.map((name) => [name, shown(mean[name])])
      : [
          ["", ...seeds.map(({ seed }) => `seed ${seed}`), "mean", "deviation"],
          ...names.map((name) => [
            name,
            ...figures.map((each) => shown(each[name])),
            shown(mean[name]),
            shown(deviation[name]),
          ]),
        ];
  return {
    json,
    text: [
      `${seeds.map(({ steps }) => formatInteger(steps)).join(" + ")} steps in ${formatDuration(seconds)}`,
      ...columns(table, table[0]?.map((_, i) => i).slice(1) ?? []),
      ...seeds.flatMap(({ seed, verdict }) =>
        verdict.map((sentence) => `${seeds.length > 1 ? `seed ${seed}` : "verdict"}  ${sentence}`),
      ),
      ...seeds.map(({ checkpoint }) => `checkpoint  ${place(checkpoint)}`),
      "Go on: npx cloze predict --checkpoint " +
        `${place(seeds[0] && (runs.length > 1 ? join(run, `seed-${seeds[0].seed}`) : run))} --data FILE`,
    ],
  };
}

export const shown = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(4));
