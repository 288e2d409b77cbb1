/**
 * The tile cache for Node: one JSON file for each device and driver. Only `@cloze/backend-webgpu/node` exports it,
 * because browsers have no `node:fs`.
 *
 * A damaged or foreign file counts as empty. `report` gets the reason, and the next `set` replaces the file. A write
 * ends with a rename, so a reader always sees a whole file. If two processes write at once, the later one wins, and the
 * lost tiles are measured again.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Tile } from "../matmul/tile.ts";
import { deviceKey, type DeviceWords } from "./key.ts";
import { isTile, type TileCache } from "./tile-cache.ts";

export interface DiskCacheOptions {
  /** Default: `cloze/webgpu` in the system's cache folder. */
  readonly folder?: string;
  /** Gets the reason, as a sentence, why a file is not used. */
  readonly report?: (reason: string) => void;
}

const format = "cloze matmul tiles";

/** The folder `cloze/webgpu` in the system's cache folder, by the conventions of the platform. */
export function cacheFolder(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  const set = (name: string): string | undefined => (env[name] === "" ? undefined : env[name]);
  const root =
    set("XDG_CACHE_HOME") ??
    (platform === "win32"
      ? (set("LOCALAPPDATA") ?? join(home, "AppData", "Local"))
      : platform === "darwin"
        ? join(home, "Library", "Caches")
        : join(home, ".cache"));
  return join(root, "cloze", "webgpu");
}

export function diskCache(words: DeviceWords, options: DiskCacheOptions = {}): TileCache {
  const folder = options.folder ?? cacheFolder(process.platform, process.env, homedir());
  const device = deviceKey(words);
  const name = device.replaceAll(/[^a-zA-Z0-9]+/g, "-").slice(0, 60);
  const file = join(folder, `${name}-${createHash("sha256").update(device).digest("hex").slice(0, 12)}.json`);
  let tiles: Promise<Map<string, Tile>> | undefined;
  let writing: Promise<void> = Promise.resolve();
  const load = (): Promise<Map<string, Tile>> => (tiles ??= read(file, device, options.report ?? (() => undefined)));

  return {
    get: async (key) => (await load()).get(key),
    set: async (key, tile) => {
      const known = await load();
      known.set(key, tile);
      // Writes run one after another. Only the call whose write fails gets the error.
      const mine = writing.then(() => write(folder, file, { format, device, tiles: Object.fromEntries(known) }));
      writing = mine.catch(() => undefined);
      await mine;
    },
  };
}

async function read(file: string, device: string, report: (reason: string) => void): Promise<Map<string, Tile>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      report(`${file}: cannot be read (${String(error)}); tiles are measured anew.`);
    return new Map();
  }
  const unused = (why: string): Map<string, Tile> => {
    report(`${file}: ${why}; tiles are measured anew and the file is replaced.`);
    return new Map();
  };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return unused("expected JSON, got a damaged file");
  }
  const found = content as { readonly format?: unknown; readonly device?: unknown; readonly tiles?: unknown } | null;
  if (found?.format !== format) return unused(`expected format "${format}", got ${JSON.stringify(found?.format)}`);
  if (found.device !== device)
    return unused(`expected tiles of "${device}", got those of ${JSON.stringify(found.device)}`);
  const entries = Object.entries((found.tiles ?? {}) as Readonly<Record<string, unknown>>);
  const bad = entries.find(([, tile]) => !isTile(tile));
  if (bad !== undefined) return unused(`expected a tile for "${bad[0]}", got ${JSON.stringify(bad[1])}`);
  return new Map(entries.filter((e): e is [string, Tile] => isTile(e[1])));
}

async function write(folder: string, file: string, content: object): Promise<void> {
  await mkdir(folder, { recursive: true });
  const part = `${file}.${randomUUID()}.part`;
  try {
    await writeFile(part, `${JSON.stringify(content, undefined, 1)}\n`);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
