/**
 * Records of the small benchmark, one YAML file each.
 *
 *     who: Ann                       date: 2026-11-21
 *     changed: What is new in it.
 *     recipe:                        options of pretrain, except those that the rules fix
 *       model: speedrun-133m
 *       steps: 180
 *     results:                       written by cloze speedrun FILE --record
 *       - { seed: 0, loss: 2.85, steps: 180, tokens: 712345, seconds: 150, machine: …, version: 0.1.0 }
 */
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { FormatError } from "@cloze/errors";
import { parseConfig } from "./config-file.ts";
import type { OptionValue } from "./options.ts";
import { PRETRAIN_OPTIONS } from "./pretrain-options.ts";
import { readShipped, shippedNames, type ShippedYaml } from "./shipped-yaml.ts";

export interface SpeedrunResult {
  readonly seed: number;
  /** Validation loss after the last step, nats per masked token. */
  readonly loss: number;
  readonly steps: number;
  /** Training tokens, without padding. */
  readonly tokens: number;
  readonly seconds: number;
  readonly machine: string;
  /** The version of cloze. */
  readonly version: string;
}

export interface SpeedrunRecord {
  readonly name: string;
  readonly who: string;
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly changed: string;
  readonly recipe: ReadonlyMap<string, OptionValue>;
  readonly results: readonly SpeedrunResult[];
}

const RECORDS: ShippedYaml = {
  folder: "speedrun",
  what: "speedrun",
  help: "bench/speedrun/README.md says what is in one.",
};
const LONGEST_NAME = 20;

/** All records of this package. */
export async function speedrunRecords(): Promise<readonly SpeedrunRecord[]> {
  return Promise.all(
    (await shippedNames(RECORDS)).map(async (name) => (await openRecord(name, (given) => given)).record),
  );
}

/** A record of this package by its name, or a user's record by its file. */
export async function openRecord(
  given: string,
  path: (given: string) => string,
): Promise<{ readonly record: SpeedrunRecord; readonly file: string }> {
  const { text, file } = await readShipped(given, RECORDS, path);
  return { record: await parseRecord(text, given), file };
}

/** Parses the text of a record. Throws FormatError with the file and the key. */
export async function parseRecord(text: string, file: string): Promise<SpeedrunRecord> {
  const { parse } = await import("yaml");
  const recipe = await parseConfig(text, file, PRETRAIN_OPTIONS, "recipe");
  const whole = parse(text) as Readonly<Record<string, unknown>>;
  const name = basename(file).replace(/\.ya?ml$/, "");
  const fail = (key: string, expected: string, got: unknown): never => {
    throw new FormatError(
      file,
      key,
      `expected ${expected}, got ${got === undefined || got === null ? "nothing" : JSON.stringify(got)}.`,
    );
  };
  const said = (key: string): string => {
    const value = whole[key];
    return typeof value === "string" && value.trim() !== "" ? value.trim() : fail(key, "a text", value);
  };
  const unknown = Object.keys(whole).find((key) => !["who", "date", "changed", "recipe", "results"].includes(key));
  const date = said("date");
  const { results = [] } = whole;
  if (name.length > LONGEST_NAME) fail("name", `a file's name of at most ${LONGEST_NAME} letters, for the table`, name);
  if (unknown !== undefined) fail(unknown, "no key but who, date, changed, recipe and results", whole[unknown]);
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) fail("date", "YYYY-MM-DD", date);
  if (results !== null && !Array.isArray(results)) fail("results", "a list", results);
  const read = ((results ?? []) as readonly unknown[]).map((result, i) =>
    parseResult(result, (key, expected, got) => fail(`results[${i}].${key}`, expected, got)),
  );
  const twice = read.find(({ seed }, i) => read.findIndex((other) => other.seed === seed) !== i);
  if (twice !== undefined) fail("results", "each seed once", twice.seed);
  return { name, who: said("who"), date, changed: said("changed"), recipe, results: read };
}

function parseResult(result: unknown, fail: (key: string, expected: string, got: unknown) => never): SpeedrunResult {
  const given = (typeof result === "object" && result !== null ? result : fail("seed", "a map", result)) as Readonly<
    Record<string, unknown>
  >;
  const number = (key: "seed" | "loss" | "steps" | "tokens" | "seconds"): number => {
    const value = given[key];
    return typeof value === "number" && Number.isFinite(value) && value >= 0
      ? value
      : fail(key, "a number from 0", value);
  };
  const word = (key: "machine" | "version"): string => {
    const value = given[key];
    return typeof value === "string" ? value : fail(key, "a text", value);
  };
  return {
    seed: number("seed"),
    loss: number("loss"),
    steps: number("steps"),
    tokens: number("tokens"),
    seconds: number("seconds"),
    machine: word("machine"),
    version: word("version"),
  };
}

/** Writes results into a record's file, in the order of their seeds. The rest of the file stays as it is. */
export async function writeResults(file: string, results: readonly SpeedrunResult[]): Promise<void> {
  const { parseDocument } = await import("yaml");
  const document = parseDocument(await readFile(file, "utf8"));
  document.set("results", document.createNode([...results].sort((a, b) => a.seed - b.seed)));
  await writeFile(file, document.toString({ lineWidth: 0 }));
}
