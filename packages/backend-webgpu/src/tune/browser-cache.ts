/**
 * The tile cache for browsers, in IndexedDB: one database and one store, under unchanged keys. A stored value that is
 * not a tile counts as missing. Each call opens and closes the database, because calls are few and an open database
 * would block another page's upgrade.
 */
import { isTile, type TileCache } from "./tile-cache.ts";

const database = "cloze-webgpu";
const store = "tiles";

/** The part of IndexedDB that this file uses. With it the package compiles for Node without browser types. */
export interface IndexedDatabases {
  open(name: string, version: number): OpenRequest;
}
interface Request<T> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
}
interface OpenRequest extends Request<Database> {
  onupgradeneeded: ((event: never) => unknown) | null;
  onblocked: ((event: never) => unknown) | null;
}
interface Database {
  createObjectStore(name: string): unknown;
  transaction(
    name: string,
    mode: "readonly" | "readwrite",
  ): {
    objectStore(name: string): {
      get(key: string): Request<unknown>;
      put(value: unknown, key: string): Request<unknown>;
    };
  };
  close(): void;
}

const done = <T>(request: Request<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () =>
      reject(request.error instanceof Error ? request.error : new Error(`IndexedDB: ${String(request.error)}`));
  });

/** A tile cache in `databases`, which is the page's `indexedDB`. */
export function browserCache(databases: IndexedDatabases): TileCache {
  const use = async <T>(
    mode: "readonly" | "readwrite",
    what: (s: { get(key: string): Request<unknown>; put(value: unknown, key: string): Request<unknown> }) => Request<T>,
  ): Promise<T> => {
    const opening = databases.open(database, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(store);
    const db = await done(opening);
    try {
      return await done(what(db.transaction(store, mode).objectStore(store)));
    } finally {
      db.close();
    }
  };
  return {
    get: async (key) => {
      const found = await use("readonly", (s) => s.get(key));
      return isTile(found) ? found : undefined;
    },
    set: async (key, tile) => {
      await use("readwrite", (s) => s.put(tile, key));
    },
  };
}
