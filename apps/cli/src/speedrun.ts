/** The work of `cloze speedrun`: shows the table, runs a record again, or measures a new record. */
import { rmSync } from "node:fs";
import { readFile, mkdtemp, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@cloze/errors";
import { formatDuration } from "@cloze/trainer";
import type { BackendChoice } from "./backends.ts";
import type { Context, Result } from "./command.ts";
import { onInterrupt } from "./interrupt.ts";
import { integer } from "./output.ts";
import { runPretraining } from "./pretrain.ts";
import {
  openRecord,
  speedrunRecords,
  writeResults,
  type SpeedrunRecord,
  type SpeedrunResult,
} from "./speedrun-records.ts";
import { checkedFigures, LARGEST_P, LEAST_SEEDS, runOptions } from "./speedrun-rules.ts";
import { standings, standingsText, withTable, type Standing, type Standings } from "./speedrun-table.ts";
import { version } from "./version.ts";

export interface SpeedrunOptions {
  readonly seeds: number | undefined;
  readonly record: boolean;
  readonly table: string | undefined;
  readonly backend: BackendChoice;
  readonly threads: number | undefined;
}

type SpeedrunContext = Pick<Context, "json" | "io" | "path" | "print" | "note" | "args"> & {
  readonly options: SpeedrunOptions;
};

/**
 * Largest difference between losses of the same record. On another processor losses differ in their last digits, and
 * training makes the difference larger.
 */
const SAME = 0.01;

export async function speedrun(context: SpeedrunContext): Promise<Result> {
  const {
    args: [given],
    options,
    path,
    io,
  } = context;
  const where = { path, cwd: io.cwd };
  if (given === undefined) {
    if (options.record || options.seeds !== undefined)
      throw new ConfigError("speedrun: expected a record to run, got none. Name one of the table, or a .yaml file.");
    const table = await standings(await speedrunRecords(), where);
    if (options.table !== undefined) await writeTable(path(options.table), table);
    return { json: tableJson(table), text: standingsText(table) };
  }
  const { record, file } = await openRecord(given, path);
  const { parameters, tokens, steps } = await checkedFigures(record, where);
  const seeds = Array.from(
    { length: options.seeds ?? Math.max(LEAST_SEEDS, record.results.length) },
    (_, seed) => seed,
  );
  const results: SpeedrunResult[] = [];
  context.note(
    `${record.name}: ${integer(parameters)} parameters, ${integer(steps)} steps, ${integer(tokens)} tokens, ` +
      `seeds ${seeds.join(", ")}`,
  );
  const interrupt = onInterrupt(
    context.note,
    () => ": the seed under way is lost; what is written of those before it stays.",
  );
  try {
    for (const seed of seeds) {
      const result = await runSeed(context, record, seed, interrupt.signal);
      if (result === undefined)
        return {
          json: { interrupted: true, results },
          exitCode: interrupt.exitCode(),
          text: ["Stopped; the seeds that were finished stay."],
        };
      results.push(result);
      context.print(
        `seed ${seed}: loss ${result.loss.toFixed(4)} after ${integer(result.steps)} steps in ` +
          `${formatDuration(result.seconds)}${recorded(record, seed)}`,
      );
      if (options.record) await writeResults(file, results);
    }
  } finally {
    interrupt.stop();
  }
  return report(record, results, options.record, where);
}

const recorded = ({ results }: SpeedrunRecord, seed: number): string => {
  const before = results.find((result) => result.seed === seed);
  return before === undefined ? "" : ` (recorded ${before.loss.toFixed(4)})`;
};

/** One run, in a temporary folder; undefined if it was interrupted. */
async function runSeed(
  context: SpeedrunContext,
  record: SpeedrunRecord,
  seed: number,
  signal: AbortSignal,
): Promise<SpeedrunResult | undefined> {
  const { backend, threads } = context.options;
  const { options, given } = runOptions(record);
  const folder = await mkdtemp(join(tmpdir(), "cloze-speedrun-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.on("exit", remove); // a second Ctrl-C ends the process at once
  try {
    const out = join(folder, "run");
    const { result, costs } = await runPretraining(
      { ...context, given, options: { ...options, seed, backend, threads, evalEvery: 0, saveEvery: 0, keep: 1, out } },
      signal,
    );
    if (result.interrupted || result.evaluation === undefined) return undefined;
    const { loss } = result.evaluation;
    const [cpu] = cpus();
    return {
      seed,
      loss,
      steps: result.steps,
      tokens: result.tokens,
      seconds: Math.round(result.seconds * 10) / 10,
      machine: machineOf(costs.device, cpu?.model),
      version: version(),
    };
  } finally {
    process.off("exit", remove);
    remove();
  }
}

const machineOf = (device: string, cpu: string | undefined): string =>
  cpu === undefined || device.includes(cpu.trim()) ? device : `${device}, ${cpu.trim()}`;

/** Compares the results with the target, and with the record's own results if it has them for the same seeds. */
async function report(
  record: SpeedrunRecord,
  results: readonly SpeedrunResult[],
  kept: boolean,
  where: Parameters<typeof standings>[1],
): Promise<Result> {
  const others = (await speedrunRecords()).filter(({ name }) => name !== record.name);
  const { target, rows } = await standings([...others, { ...record, results }], where);
  const row = rows.find((each) => each.record.name === record.name) as Standing;
  const before = record.results.filter(({ seed }) => results.some((result) => result.seed === seed));
  const difference =
    before.length === results.length && before.length > 0
      ? (row.mean as number) - before.reduce((sum, { loss }) => sum + loss, 0) / before.length
      : undefined;
  const reproduced = kept || difference === undefined ? undefined : Math.abs(difference) <= SAME;
  return {
    json: {
      record: record.name,
      target,
      tokens: row.tokens,
      steps: row.steps,
      parameters: row.parameters,
      mean: row.mean,
      deviation: row.deviation,
      p: row.p,
      place: row.place,
      difference,
      reproduced,
      results,
    },
    exitCode: reproduced === false ? 1 : 0,
    text: [
      "mean loss  " +
        `${(row.mean as number).toFixed(4)}${row.deviation === undefined ? "" : ` ± ${row.deviation.toFixed(4)}`} ` +
        `over ${results.length} ${results.length === 1 ? "seed" : "seeds"}`,
      ...(target === undefined
        ? []
        : [
            `target     ${target.toFixed(4)}${row.p === undefined ? "" : `, p = ${row.p.toPrecision(2)}`}: ` +
              `${verdict(row)}`,
          ]),
      ...(reproduced === undefined
        ? []
        : [
            `recorded   ${((row.mean as number) - (difference as number)).toFixed(4)}: ` +
              (reproduced ? "reproduced" : `not reproduced, it is ${Math.abs(difference as number).toFixed(4)} away`),
          ]),
      ...(kept ? ["The results stand in the file."] : []),
    ],
  };
}

function verdict({ place, p, record }: Standing): string {
  if (place !== undefined) return `reached; place ${place}`;
  if (p === undefined) return "this is the target, or one seed, which tells nothing";
  return p < LARGEST_P
    ? `reached, but ${LEAST_SEEDS} seeds are needed, got ${record.results.length}`
    : `not reached for certain, which takes p < ${LARGEST_P}`;
}

const tableJson = ({ target, rows }: Standings): Result["json"] => ({
  target,
  records: rows.map(({ record: { name, who, date, changed, results }, ...figures }) => ({
    name,
    who,
    date,
    changed,
    ...figures,
    seeds: results.length,
    results,
  })),
});

async function writeTable(file: string, table: Standings): Promise<void> {
  const page = await readFile(file, "utf8");
  try {
    await writeFile(file, withTable(page, table));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`--table ${file}: expected a page with the marks of the table, but ${error.message}.`, {
      cause: error,
    });
  }
}
