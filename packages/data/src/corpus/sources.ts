/**
 * Sources of data by name: files, URLs of Parquet, data sets of the Hub. A name becomes one or more sources, each with
 * its format.
 *
 * The ending of a name tells the format; a `.gz` after the ending is ignored. For an unknown ending, the first bytes
 * tell the format if it is FASTA or Parquet. The format is never guessed among the kinds of text.
 */
import { ConfigError } from "@cloze/errors";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { hubDatasetFiles, parseHubDataset, type HubSettings } from "./hub-datasets.ts";
import { httpFile, type Fetch } from "../formats/http-file.ts";
import { readChunks } from "../formats/read-chunks.ts";

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
  /** Time of last change of a file (ISO 8601), the Hub's hash of the content, or "". */
  readonly modified: string;
  readonly place:
    | { readonly path: string }
    | { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly fetch?: Fetch };
}

export interface SourceOptions {
  /** The format of all names. Default: the format that each ending tells. */
  readonly format?: DataFormat;
  readonly hub?: HubSettings;
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
  const sources: DataSource[] = [];
  for (const name of names) sources.push(...(await sourcesOf(name, options)));
  return sources;
}

async function sourcesOf(name: string, { format, hub = {} }: SourceOptions): Promise<readonly DataSource[]> {
  if (/^https?:\/\//.test(name)) return [await urlSource(name, format, hub)];
  const found = await stat(name).catch(() => undefined);
  if (found === undefined) {
    const dataset = parseHubDataset(name);
    if (dataset === undefined || (formatOfName(name) !== undefined && !name.startsWith("hf://")))
      throw new ConfigError(`${name}: expected a file, found nothing there. Check the path.`);
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
  return [
    {
      name,
      format: format ?? formatOfName(name) ?? (await formatOfContent(name)),
      bytes: found.size,
      modified: found.mtime.toISOString(),
      place: { path: name },
    },
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
  const { byteLength } = await httpFile(url, fetchOf(hub));
  return { name: url, format: kind, bytes: byteLength, modified: "", place: { url, headers: {}, ...fetchOf(hub) } };
}

/** The format of a file whose name does not tell the format. */
async function formatOfContent(path: string): Promise<DataFormat> {
  let head = "";
  for await (const chunk of readChunks(path)) {
    head = new TextDecoder("latin1").decode(chunk.subarray(0, 64));
    break;
  }
  if (head.startsWith("PAR1")) return "parquet";
  if (/^(\u00ef\u00bb\u00bf)?\s*[>;]/.test(head)) return "fasta";
  throw new ConfigError(
    `${basename(path)}: expected a name that ends in ${DATA_FORMATS.map((each) => ENDINGS[each][0]).join(", ")}, ` +
      `got ${JSON.stringify(basename(path))}. Pass its format: ${DATA_FORMATS.join(", ")}.`,
  );
}
