/**
 * Names of data, resolved to sources. A name comes from `--data` or a data command and is `[WEIGHT:]NAME`. NAME is a
 * file, a URL, a data set of the Hub, or the sample in this package.
 */
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { DataFormat, DataSource } from "@cloze/data/node";
import { ConfigError } from "@cloze/errors";
import type { Io } from "./io.ts";
import { isMissingPath, whatInstead } from "./missing-path.ts";

export interface NamedData {
  /** The name as the user typed it, without its weight. */
  readonly name: string;
  readonly weight: number | undefined;
  /** Path of the index, for token shards only. */
  readonly shards?: string;
  /** The sources of all other data. Empty for token shards. */
  readonly sources: readonly DataSource[];
}

export interface DataNames {
  readonly names: readonly string[];
  readonly format: DataFormat | undefined;
  readonly path: (given: string) => string;
  readonly env: Io["env"];
  /** What the name "-" stands for. */
  readonly stdin?: Io["stdin"] | undefined;
  /** The beginning of error messages: `--data `. */
  readonly where: string;
}

/** 5,500 proteins of UniProt in this package: for examples, recipes that run in minutes, and the benchmark. */
export const SAMPLE_NAME = "cloze://sample";
export const SAMPLE_FILE: string = fileURLToPath(new URL("../sample/uniprot-sample.fasta.gz", import.meta.url));

const WEIGHT = /^(\d+(?:\.\d+)?|\.\d+):(.+)$/;

/**
 * Throws ConfigError for a name that is nothing here and can be nothing elsewhere: no address, no name of ours, and by
 * its form no data set of the Hub.
 */
export async function expectElsewhere(
  name: string,
  path: DataNames["path"],
  where: string,
  expected = "a FASTA file, text, JSONL, CSV, Parquet or token shards",
): Promise<void> {
  if (name === SAMPLE_NAME || name === "-" || /^(?:https?|hf):\/\//.test(name)) return;
  const { parseHubDataset } = await import("@cloze/data");
  if (parseHubDataset(name) !== undefined && !(await isMissingPath(name, path))) return;
  throw new ConfigError(
    `${where}${name}: expected ${expected}, got nothing there.` +
      (await whatInstead(name, path)) +
      (parseHubDataset(name) === undefined ? "" : ` A data set of the Hub is written hf://datasets/${name}.`),
  );
}

export async function resolveData({
  names,
  format,
  path,
  env,
  stdin,
  where,
}: DataNames): Promise<readonly NamedData[]> {
  const { STDIN_NAME, refusePipesTwice, resolveSources } = await import("@cloze/data/node");
  const { hubSettings } = await import("@cloze/data");
  const hub = hubSettings(env);
  const exists = async (name: string): Promise<boolean> =>
    name !== STDIN_NAME && (await stat(path(name)).catch(() => undefined)) !== undefined;
  const resolved: NamedData[] = [];
  await refusePipesTwice(names.map(path));
  for (const given of names) {
    // A file with the whole name wins, because file names may hold colons.
    const [, weight, rest] = (await exists(given)) ? [] : (WEIGHT.exec(given) ?? []);
    const name = rest ?? given;
    const there = await exists(name);
    if (weight !== undefined && !(Number(weight) > 0))
      throw new ConfigError(`${where}${given}: expected a weight above 0, got ${weight}.`);
    const base = { name, weight: weight === undefined ? undefined : Number(weight) };
    if (there && format === undefined && name.endsWith(".json")) {
      resolved.push({ ...base, shards: path(name), sources: [] });
      continue;
    }
    if (!there) await expectElsewhere(name, path, where);
    const sources = await resolveSources([there ? path(name) : name === SAMPLE_NAME ? SAMPLE_FILE : name], {
      hub,
      ...(stdin === undefined ? {} : { stdin }),
      ...(format === undefined ? {} : { format }),
    });
    resolved.push({ ...base, sources });
  }
  const weighted = resolved.filter(({ weight }) => weight !== undefined).length;
  if (weighted > 0 && weighted < resolved.length)
    throw new ConfigError(
      `${where}expected a weight for each of ${names.join(" ")}, got ${weighted}. Write WEIGHT:NAME for all, or ` +
        "for none.",
    );
  return resolved;
}
