/**
 * Data sets of the Hugging Face Hub by name. The Hub keeps Parquet files of nearly every data set on the branch
 * `refs/convert/parquet`, laid out as `CONFIG/SPLIT/0000.parquet`.
 *
 *   hf://datasets/OWNER/NAME[:CONFIG[:SPLIT]]        or        OWNER/NAME[:CONFIG[:SPLIT]]
 *
 * The short form is not for names that end as files do: `data/train.zip` is a path.
 *
 * The config may be left out if the data set has only one, or has one called "default". The default split is "train".
 * The Hub converts only the first part of a very large data set, into a folder `partial-train`. This folder stands for
 * the split, and the names of its files show the word "partial".
 */
import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import { request, type Fetch } from "../formats/http-file.ts";
import { hasFileEnding } from "./file-endings.ts";

export interface HubSettings {
  /** Default https://huggingface.co */
  readonly endpoint?: string;
  readonly token?: string;
  /** Do not use the network. Naming a data set is then an error. */
  readonly offline?: boolean;
  /** Default: the platform's `fetch`. */
  readonly fetch?: Fetch;
}

/**
 * Settings from the environment variables that Python's huggingface_hub and datasets read: HF_ENDPOINT, HF_TOKEN,
 * HF_HUB_OFFLINE and HF_DATASETS_OFFLINE.
 */
export function hubSettings(env: Readonly<Record<string, string | undefined>>): HubSettings {
  const { HF_ENDPOINT: endpoint, HF_TOKEN: token } = env;
  const isSet = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");
  return {
    ...(endpoint === undefined || endpoint === "" ? {} : { endpoint: endpoint.replace(/\/+$/, "") }),
    ...(token === undefined || token === "" ? {} : { token }),
    offline: isSet(env["HF_HUB_OFFLINE"]) || isSet(env["HF_DATASETS_OFFLINE"]),
  };
}

export interface HubDatasetName {
  readonly dataset: string;
  readonly config?: string;
  readonly split?: string;
}

const PART = String.raw`[A-Za-z0-9][\w.-]*`;
const PREFIX = "hf://datasets/";
const NAME = new RegExp(`^(?:${PREFIX}((?:${PART}/)?${PART})|(${PART}/${PART}))(?::([^:/]+))?(?::([^:/]+))?$`);

/**
 * The parts of a data set's name; undefined for a text without the form of a name.
 *
 * @example
 * parseHubDataset("hf://datasets/owner/name:config:test")
 * // => { dataset: "owner/name", config: "config", split: "test" }
 */
export function parseHubDataset(name: string): HubDatasetName | undefined {
  const [, long, short, config, split] = NAME.exec(name) ?? [];
  const dataset = long ?? short;
  if (dataset === undefined || (long === undefined && hasFileEnding(dataset))) return undefined;
  return { dataset, ...(config === undefined ? {} : { config }), ...(split === undefined ? {} : { split }) };
}

export interface HubFile {
  /** `hf://datasets/OWNER/NAME/CONFIG/SPLIT/0000.parquet`: for messages and indexes. */
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  /** The Hub's hash of the content. */
  readonly id: string;
}

interface TreeEntry {
  readonly path: string;
  readonly size: number;
  readonly oid: string;
}

const BRANCH = "refs%2Fconvert%2Fparquet";

/**
 * The Parquet files of a split, in order. Throws ConfigError if the config or the split does not exist; the message
 * lists the names that exist. Throws UnsupportedError if the settings say `offline`.
 */
export async function hubDatasetFiles(
  { dataset, config, split = "train" }: HubDatasetName,
  settings: HubSettings = {},
): Promise<readonly HubFile[]> {
  const { endpoint = "https://huggingface.co", token, offline } = settings;
  const ask: Fetch = settings.fetch ?? fetch;
  const shown = `${PREFIX}${dataset}`;
  if (offline === true)
    throw new UnsupportedError(
      `${shown}: expected the network, got HF_HUB_OFFLINE. Unset it, or download the Parquet files and give ` +
        "their paths.",
    );
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const folders = new Map<string, Map<string, TreeEntry[]>>();
  for (const entry of await tree(
    `${endpoint}/api/datasets/${dataset}/tree/${BRANCH}?recursive=true`,
    ask,
    headers,
    shown,
  )) {
    const [inConfig, inSplit, file, ...deeper] = entry.path.split("/");
    if (
      inConfig === undefined ||
      inSplit === undefined ||
      file === undefined ||
      deeper.length > 0 ||
      !file.endsWith(".parquet")
    )
      continue;
    const splits = folders.get(inConfig) ?? new Map<string, TreeEntry[]>();
    const files = splits.get(inSplit) ?? [];
    folders.set(inConfig, splits.set(inSplit, [...files, entry]));
  }
  const configs = [...folders.keys()];
  const chosen = config ?? (configs.length === 1 ? configs[0] : "default");
  const splits = folders.get(chosen ?? "");
  if (splits === undefined) {
    if (configs.length === 0)
      throw new ConfigError(
        `${shown}: expected Parquet files on the branch refs/convert/parquet, got none. Download the data set's ` +
          "own files.",
      );
    throw new ConfigError(
      `${shown}: expected ` +
        `${config === undefined ? "a config to be named" : `the config ${JSON.stringify(config)}`}, got ` +
        `${configs.slice(0, 12).join(", ")}${configs.length > 12 ? ", …" : ""}. Write ${dataset}:CONFIG`,
    );
  }
  const files = splits.get(split) ?? splits.get(`partial-${split}`);
  if (files === undefined)
    throw new ConfigError(
      `${shown}:${chosen}: expected the split ${JSON.stringify(split)}, got ${[...splits.keys()].join(", ")}. ` +
        `Write ${dataset}:${chosen}:SPLIT`,
    );
  return files
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, size, oid }) => ({
      name: `${shown}/${path}`,
      url: `${endpoint}/datasets/${dataset}/resolve/${BRANCH}/${path.split("/").map(encodeURIComponent).join("/")}`,
      headers,
      bytes: size,
      id: oid,
    }));
}

/** All files of a branch. The Hub lists files in pages. */
async function tree(
  first: string,
  ask: Fetch,
  headers: Readonly<Record<string, string>>,
  shown: string,
): Promise<readonly TreeEntry[]> {
  const entries: TreeEntry[] = [];
  for (let url: string | undefined = first; url !== undefined;) {
    const response: Response = await request(ask, url, { headers });
    const page: unknown = await response.json().catch(() => undefined);
    if (!Array.isArray(page))
      throw new FormatError(
        shown,
        "",
        `expected a list of files from ${url}, got something else. Is HF_ENDPOINT right?`,
      );
    for (const entry of page as readonly Readonly<Record<string, unknown>>[]) {
      const { type, path, size, oid } = entry;
      if (type === "file" && typeof path === "string" && typeof size === "number")
        entries.push({ path, size, oid: String(oid) });
    }
    const next = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
    const following: URL | undefined = next === undefined ? undefined : new URL(next, url);
    if (following !== undefined && following.origin !== new URL(url).origin)
      throw new FormatError(
        shown,
        "",
        `expected the next page of files at ${new URL(url).origin}, got ${following.origin}. Is HF_ENDPOINT right?`,
      );
    url = following?.href;
  }
  return entries;
}
