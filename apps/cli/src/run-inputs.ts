/**
 * The identity of what a run reads: training and validation data, tokenizer, starting checkpoint, model, options. A run
 * keeps it in `inputs.json`, and a resumed run reads the same or is refused.
 *
 * A file's identity is its size and the SHA-256 of all of its bytes (494 MB/s on one core of two). A file whose device,
 * inode, size, times of change and of status change are those of before is not read again: no program sets the last of
 * these. So an edit in place is found even if its size and time are as before, and a copy or a moved file is the same
 * file.
 * Shards have the hashes of their index, with which opening them compares every file; a file of the Hub has the Hub's.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { DataSource } from "@cloze/data/node";
import { writeJson } from "@cloze/checkpoint/node";
import { ConfigError, FormatError } from "@cloze/errors";
import { checkpointsFolder } from "@cloze/trainer";
import type { NamedData } from "./data-sources.ts";
import { TOKENIZER_NAMES, tokenizerSources } from "./tokenizers.ts";

export const INPUTS_FILE = "inputs.json";

export type InputRole =
  "training data" | "validation data" | "tokenizer" | "starting checkpoint" | "model" | "objective" | "options";

/** One thing that a run reads. Two inputs are the same if role, weight, size and content are. */
export interface RunInput {
  readonly role: InputRole;
  /** The path, or the name of a thing that is no file. */
  readonly name: string;
  /** What `id` is: a hash of the content, or a published name; empty for a stream that is not read yet. */
  readonly kind: "sha256" | "shards" | "hub" | "name" | "stream";
  readonly id: string;
  readonly bytes?: number;
  /** The share of a mixture. */
  readonly weight?: number;
  /** Facts of the file system, by which an untouched file is known without reading it. */
  readonly seen?: string;
}

/** A change that the user accepted. */
interface Accepted {
  readonly at: string;
  readonly step: number;
  readonly changes: readonly string[];
}

interface InputsFile {
  readonly version: 1;
  readonly inputs: readonly RunInput[];
  readonly accepted: readonly Accepted[];
}

/** Identities of files. Those of before save reading a file that nobody touched. */
export class InputReader {
  readonly #known: ReadonlyMap<string, RunInput>;

  constructor(before: readonly RunInput[] = []) {
    this.#known = new Map(before.flatMap((input) => (input.seen === undefined ? [] : [[input.seen, input]])));
  }

  /** A file. A pipe or a device has no identity before it is read. */
  async file(role: InputRole, path: string, weight?: number): Promise<RunInput> {
    const shared = { role, name: path, ...(weight === undefined ? {} : { weight }) };
    const facts = await factsOf(path);
    if (facts === undefined) return { ...shared, kind: "stream", id: "" };
    const known = this.#known.get(facts.seen);
    return { ...shared, kind: "sha256", id: known?.id ?? (await sha256Of(path)), ...facts };
  }

  /** Data by name: files, files of the Hub, shards. */
  async data(role: InputRole, named: readonly NamedData[]): Promise<readonly RunInput[]> {
    const inputs: RunInput[] = [];
    for (const { shards, sources, weight } of named) {
      if (shards !== undefined) inputs.push(await shardsInput(role, shards, weight));
      for (const source of sources) inputs.push(await this.#source(role, source, weight));
    }
    return inputs;
  }

  /** Data by path: files, and names of the Hub. A pipe is not opened. */
  async paths(role: InputRole, paths: readonly string[]): Promise<readonly RunInput[]> {
    const { resolveSources, STDIN_NAME } = await import("@cloze/data/node");
    const inputs: RunInput[] = [];
    for (const path of paths) {
      const there = path === STDIN_NAME ? undefined : await stat(path).catch(() => undefined);
      if (path === STDIN_NAME) inputs.push({ role, name: path, kind: "stream", id: "" });
      else if (there?.isDirectory() === false) inputs.push(await this.file(role, path));
      else for (const source of await resolveSources([path])) inputs.push(await this.#source(role, source));
    }
    return inputs;
  }

  /** The tokenizer: a published one, or the files of a folder. */
  async tokenizer(name: string, path: (given: string) => string): Promise<readonly RunInput[]> {
    if (TOKENIZER_NAMES.some((each) => each === name)) return [{ role: "tokenizer", name, kind: "name", id: name }];
    const sources = await tokenizerSources();
    return this.folder("tokenizer", path(name), (file) => sources.includes(file));
  }

  /** The model and the weights of a checkpoint folder, or of a run's newest checkpoint. */
  async checkpoint(folder: string): Promise<readonly RunInput[]> {
    return this.folder(
      "starting checkpoint",
      await newestIn(folder),
      (file) => file === "config.json" || /^model.*\.(safetensors|index\.json)$/.test(file),
    );
  }

  async folder(role: InputRole, folder: string, takes: (file: string) => boolean): Promise<readonly RunInput[]> {
    const files = (await readdir(folder).catch(() => [])).filter(takes).sort();
    return Promise.all(files.map((file) => this.file(role, join(folder, file))));
  }

  /** A model: a file of its configuration, or the name of a published one. Nothing if the file is gone. */
  async model(name: string, path: (given: string) => string): Promise<readonly RunInput[]> {
    if (!name.endsWith(".json")) return [{ role: "model", name, kind: "name", id: name }];
    const there = await stat(path(name)).catch(() => undefined);
    return there === undefined ? [] : [await this.file("model", path(name))];
  }

  /** The files among names of objectives: `./mine.js`, also in `mlm+./mine.js`. */
  async objectives(names: readonly string[], cwd: string): Promise<readonly RunInput[]> {
    const files = names.flatMap((name) => name.split("+")).filter((name) => /^(\.{1,2})?\//.test(name));
    const there = await Promise.all(files.map((name) => stat(resolve(cwd, name)).catch(() => undefined)));
    return Promise.all(
      files.filter((_, i) => there[i] !== undefined).map((name) => this.file("objective", resolve(cwd, name))),
    );
  }

  async #source(role: InputRole, { name, place, bytes, modified }: DataSource, weight?: number): Promise<RunInput> {
    if ("path" in place)
      return place.pipe === undefined
        ? this.file(role, place.path, weight)
        : { role, name, kind: "stream", id: "", ...(weight === undefined ? {} : { weight }) };
    return { role, name, kind: "hub", id: modified, bytes, ...(weight === undefined ? {} : { weight }) };
  }
}

/** The newest checkpoint of a run's folder, damaged or not; any other folder as it is. */
async function newestIn(folder: string): Promise<string> {
  const all = checkpointsFolder(folder);
  const steps = (await readdir(all).catch(() => [])).flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? []);
  return steps.length === 0 ? folder : join(all, `step-${Math.max(...steps.map(Number))}`);
}

/** The hashes of shards, from their index. */
async function shardsInput(role: InputRole, path: string, weight: number | undefined): Promise<RunInput> {
  const { readShardIndex } = await import("@cloze/data/node");
  const { index } = await readShardIndex(path);
  const { tokenizer, dtype, special, splits } = index;
  const id = createHash("sha256")
    .update(JSON.stringify([tokenizer.hash, dtype, special, splits]))
    .digest("hex");
  return { role, name: path, kind: "shards", id, ...(weight === undefined ? {} : { weight }) };
}

/** Size and facts of a regular file; undefined for a pipe or a device. Throws ConfigError if there is nothing. */
async function factsOf(path: string): Promise<{ readonly bytes: number; readonly seen: string } | undefined> {
  const found = await stat(path, { bigint: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `${path}: expected a file, got ${cause.code === "ENOENT" ? "nothing there" : cause.message}. Check the path; ` +
        "if a run is resumed whose file was moved, name its new path.",
      { cause },
    );
  });
  if (!found.isFile()) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = found;
  return { bytes: Number(size), seen: [dev, ino, size, mtimeNs, ctimeNs].join(" ") };
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** Throws ConfigError if a file has changed since its identity was taken. */
export async function expectUntouched(inputs: readonly RunInput[]): Promise<void> {
  for (const { name, seen } of inputs)
    if (seen !== undefined && (await factsOf(name))?.seen !== seen)
      throw new ConfigError(`${name}: expected a file that nobody writes to, got one that changed while it was read.`);
}

/** The inputs that a run recorded; undefined for a run of a version that recorded none. */
export async function readInputs(run: string): Promise<InputsFile | undefined> {
  const path = join(run, INPUTS_FILE);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const json = JSON.parse(text) as Partial<InputsFile>;
    if (json.version === 1 && Array.isArray(json.inputs) && Array.isArray(json.accepted)) return json as InputsFile;
  } catch {
    // reported below
  }
  throw new FormatError(
    path,
    "",
    "expected the list of what the run reads, got something else. Restore the file; or remove it, to go on without a " +
      "comparison.",
  );
}

export async function writeInputs(
  run: string,
  inputs: readonly RunInput[],
  accepted: readonly Accepted[] = [],
): Promise<void> {
  await writeJson(join(run, INPUTS_FILE), { version: 1, inputs, accepted } satisfies InputsFile);
}

/** The differences between what a run read and what it would read now, one line each. */
export function differences(before: readonly RunInput[], now: readonly RunInput[]): readonly string[] {
  const roles = [...new Set([...before, ...now].map(({ role }) => role))];
  return roles.flatMap((role) => differencesOf(role, ofRole(before, role), ofRole(now, role)));
}

const ofRole = (inputs: readonly RunInput[], role: InputRole): readonly RunInput[] =>
  inputs.filter((input) => input.role === role);

function differencesOf(role: InputRole, was: readonly RunInput[], is: readonly RunInput[]): readonly string[] {
  const length = Math.max(was.length, is.length);
  const changed = Array.from({ length }, (_, i) => [was[i], is[i]] as const).filter(
    ([a, b]) => a === undefined || b === undefined || keyOf(a) !== keyOf(b),
  );
  if (changed.length === 0) return [];
  const sorted = (inputs: readonly RunInput[]): string => inputs.map(keyOf).sort().join();
  if (sorted(was) === sorted(is)) return [`${role}: the order was ${names(was)}, is ${names(is)}`];
  return changed.map(([a, b]) => {
    if (a === undefined || b === undefined)
      return `${role} ${(a ?? b)?.name}: ${a === undefined ? "is new" : "is not there any more"}`;
    const to = basename(a.name) === basename(b.name) ? "" : `${b.name}, `;
    return `${role} ${a.name}: was ${inWords(a)}, is ${to}${inWords(b)}`;
  });
}

const names = (inputs: readonly RunInput[]): string => inputs.map(({ name }) => basename(name)).join(", ");

const keyOf = ({ kind, id, bytes, weight }: RunInput): string => JSON.stringify([kind, id, bytes, weight]);

function inWords({ kind, id, bytes, weight }: RunInput): string {
  const of = weight === undefined ? "" : `, weight ${weight}`;
  if (kind === "stream") return `a stream${id === "" ? "" : ` of examples with the SHA-256 ${id.slice(0, 12)}`}${of}`;
  if (kind === "name") return `${id}${of}`;
  const size = bytes === undefined ? "" : `${bytes.toLocaleString("en-US")} bytes, `;
  return `${size}${kind === "hub" ? "version" : "SHA-256"} ${id.slice(0, 12)}${of}`;
}
