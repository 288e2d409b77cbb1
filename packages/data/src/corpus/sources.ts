/**
 * Sources of data by name: files, URLs of Parquet, data sets of the Hub. A name becomes one or more sources, each with
 * its format.
 *
 * The ending of a name tells the format; a `.gz` after the ending is ignored. For an unknown ending, the first bytes
 * tell the format if it is FASTA or Parquet. The format is never guessed among the kinds of text.
 *
 * A name may also be of something that can be read only once: a FIFO, `<(zcat a.gz)`, /dev/stdin, or "-" for standard
 * input. Such a source has a Pipe, which remembers its first bytes and refuses to be read twice.
 */
import { ConfigError } from "@cloze/errors";
import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { hubDatasetFiles, parseHubDataset, type HubSettings } from "./hub-datasets.ts";
import { httpFile, type Fetch } from "../formats/http-file.ts";
import { fastqFault } from "../formats/fasta-parser.ts";
import { Pipe, STDIN_NAME } from "../formats/pipe.ts";
import { bytesOf, readChunks } from "../formats/read-chunks.ts";

export const DATA_FORMATS = ["fasta", "text", "jsonl", "csv", "tsv", "parquet"] as const;
export type DataFormat = (typeof DATA_FORMATS)[number];

const ENDINGS: { readonly [F in DataFormat]: readonly string[] } = {
  fasta: [".fasta", ".fa", ".faa", ".fas", ".fsa"],
  text: [".txt", ".text"],
  jsonl: [".jsonl", ".ndjson"],
  csv: [".csv"],
  tsv: [".tsv", ".tab"],
  parquet: [".parquet", ".pq"],
};

export interface DataSource {
  /** For messages and indexes: the file's path, the URL, or `hf://datasets/…`. */
  readonly name: string;
  readonly format: DataFormat;
  readonly bytes: number;
  /** Time of last change of a file (ISO 8601), the Hub's hash of the content, or the version that a server tells. */
  readonly modified: string;
  readonly place:
    | { readonly path: string; readonly pipe?: Pipe }
    | { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly fetch?: Fetch };
}

export interface SourceOptions {
  /** The format of all names. Default: the format that each ending tells. */
  readonly format?: DataFormat;
  readonly hub?: HubSettings;
  /** Standard input, which the name "-" stands for. Default: "-" is a file like any other. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/** What is read of a source: the path of a file, or its pipe. Throws ConfigError for a URL. */
export function inputOf({ name, place }: DataSource): string | Pipe {
  if ("path" in place) return place.pipe ?? place.path;
  throw new ConfigError(`${name}: expected a file, got a URL. Download it and give its path.`);
}

/** Throws ConfigError if the source can be read only once. `why` says what reads it twice. */
export function refusePipe({ name, place }: DataSource, why: string): void {
  if ("path" in place && place.pipe !== undefined)
    throw new ConfigError(
      `${name}: expected a file, since ${why}, got a pipe, which can be read only once. Save it to a file first, and ` +
        "name the file.",
    );
}

/** The first bytes of a source, decompressed, as many as `isEnough` asks for, or all. */
export async function headOf(source: DataSource, isEnough: (bytes: Uint8Array) => boolean): Promise<Uint8Array> {
  const input = inputOf(source);
  if (typeof input !== "string") return input.head(isEnough);
  const head: Uint8Array[] = [];
  for await (const chunk of readChunks(input)) {
    head.push(new Uint8Array(chunk));
    const all = Buffer.concat(head);
    if (isEnough(all)) return all;
  }
  return Buffer.concat(head);
}

/** The format that the ending of a name tells, if any. */
export function formatOfName(name: string): DataFormat | undefined {
  const bare = name.toLowerCase().replace(/\.gz$/, "");
  return DATA_FORMATS.find((format) => ENDINGS[format].some((ending) => bare.endsWith(ending)));
}

/**
 * The sources of the names, in order. A data set of the Hub gives one source for each of its files.
 *
 * @example
 * await resolveSources(["notes.txt", "hf://datasets/owner/name:default:train"])
 */
export async function resolveSources(
  names: readonly string[],
  options: SourceOptions = {},
): Promise<readonly DataSource[]> {
  await refusePipesTwice(names);
  const sources: DataSource[] = [];
  for (const name of names) sources.push(...(await sourcesOf(name, options)));
  return sources;
}

/** Throws ConfigError if the names name one pipe twice: its second reading would find nothing, or wait forever. */
export async function refusePipesTwice(names: readonly string[]): Promise<void> {
  const seen = new Map<string, string>();
  for (const name of names) {
    const found = await stat(name === STDIN_NAME ? "/dev/stdin" : name).catch(() => undefined);
    if (name !== STDIN_NAME && (found === undefined || !isPipe(found))) continue;
    const key = found === undefined || !isPipe(found) ? STDIN_NAME : `${found.dev}:${found.ino}`;
    const before = seen.get(key);
    if (before !== undefined)
      throw new ConfigError(
        `${name}: expected each pipe once, got the one that ${before} reads already. Save it to a file first, and ` +
          "name the file.",
      );
    seen.set(key, name);
  }
}

const isPipe = (found: Stats): boolean => !found.isFile() && !found.isDirectory();

/** The source of a pipe. Its bytes are not known before, and it is never the same twice. */
async function pipeSource(name: string, pipe: Pipe, format: DataFormat | undefined): Promise<DataSource> {
  const source = { name: pipe.name, bytes: 0, modified: new Date().toISOString(), place: { path: name, pipe } };
  const known = format ?? formatOfName(name) ?? (await formatOfContent({ ...source, format: "text" }));
  if (known === "parquet")
    throw new ConfigError(
      `${pipe.name}: expected a file, since Parquet is read from its end, got a pipe. Save it to a file first, and ` +
        "name the file.",
    );
  return { ...source, format: known };
}

async function sourcesOf(name: string, { format, hub = {}, stdin }: SourceOptions): Promise<readonly DataSource[]> {
  if (name === STDIN_NAME && stdin !== undefined)
    return [await pipeSource(name, new Pipe("standard input", () => stdin), format)];
  if (/^https?:\/\//.test(name)) return [await urlSource(name, format, hub)];
  const found = await stat(name).catch(() => undefined);
  if (found === undefined) {
    const dataset = parseHubDataset(name);
    if (dataset === undefined && name.startsWith("hf://"))
      throw new ConfigError(
        `${name}: expected hf://datasets/OWNER/NAME[:CONFIG[:SPLIT]], got another form. Models are named without hf://.`,
      );
    if (dataset === undefined) throw new ConfigError(`${name}: expected a file, found nothing there. Check the path.`);
    const files = await hubDatasetFiles(dataset, hub);
    return files.map((file) => ({
      name: file.name,
      format: "parquet",
      bytes: file.bytes,
      modified: file.id,
      place: { url: file.url, headers: file.headers, ...fetchOf(hub) },
    }));
  }
  if (found.isDirectory()) throw new ConfigError(`${name}: expected a file, got a folder. Name the files in it.`);
  if (isPipe(found)) return [await pipeSource(name, new Pipe(name, () => bytesOf(name)), format)];
  const source = { name, bytes: found.size, modified: found.mtime.toISOString(), place: { path: name } };
  return [
    { ...source, format: format ?? formatOfName(name) ?? (await formatOfContent({ ...source, format: "text" })) },
  ];
}

const fetchOf = ({ fetch }: HubSettings): { readonly fetch?: Fetch } => (fetch === undefined ? {} : { fetch });

async function urlSource(url: string, format: DataFormat | undefined, hub: HubSettings): Promise<DataSource> {
  const kind = format ?? formatOfName(new URL(url).pathname);
  if (kind !== "parquet")
    throw new ConfigError(
      `${url}: expected Parquet, which is read in parts, got ${kind ?? "a URL without .parquet at its end"}. ` +
        "Download it and give its path, or pass the format parquet.",
    );
  if (hub.offline === true)
    throw new ConfigError(
      `${url}: expected the network, got HF_HUB_OFFLINE. Unset it, or download the file and give its path.`,
    );
  const { byteLength, version } = await httpFile(url, fetchOf(hub));
  return {
    name: url,
    format: kind,
    bytes: byteLength,
    modified: version,
    place: { url, headers: {}, ...fetchOf(hub) },
  };
}

/** The format of a source whose name does not tell the format. */
async function formatOfContent(source: DataSource): Promise<DataFormat> {
  const textOf = (bytes: Uint8Array): string => new TextDecoder("latin1").decode(bytes.subarray(0, HEAD));
  const head = textOf(await headOf(source, (bytes) => bytes.length >= HEAD || FASTA.test(textOf(bytes))));
  if (head.startsWith("PAR1")) return "parquet";
  if (FASTA.test(head)) return "fasta";
  const fault = fastqFault(head);
  if (fault !== undefined)
    throw new ConfigError(`${source.name}: expected sequences or text, got what looks like ${fault}.`);
  const name = basename(source.name);
  throw new ConfigError(
    `${name}: expected a name that ends in ${DATA_FORMATS.map((each) => ENDINGS[each][0]).join(", ")}, got ` +
      `${JSON.stringify(name)}. Name its format (--format): ${DATA_FORMATS.join(", ")}.`,
  );
}

/** Bytes that tell a format. */
const HEAD = 4096;
/** The beginning of FASTA, one character a byte. */
const FASTA = /^(\u00ef\u00bb\u00bf)?\s*[>;]/;
