/**
 * The store of saved runs in the browser (IndexedDB). One transaction writes a run together with its entry in the list,
 * so a page that ends during a save leaves the save before it. The data of a run is written once: it never changes.
 */
import type { SavedContent, SavedEntry, Source } from "./protocol.ts";

/** The storage does not work, or is full. The message says what the visitor can do. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}

const NAME = "cloze-demo";
const VERSION = 2;
const ENTRIES = "entries";
const CONTENTS = "contents";
const SOURCES = "sources";
const STORES = [ENTRIES, CONTENTS, SOURCES] as const;

interface Stores {
  readonly entries: IDBObjectStore;
  readonly contents: IDBObjectStore;
  readonly sources: IDBObjectStore;
}

async function open(): Promise<IDBDatabase> {
  let request: IDBOpenDBRequest;
  try {
    request = indexedDB.open(NAME, VERSION);
  } catch (error) {
    throw wordsOf(error);
  }
  request.addEventListener("upgradeneeded", () => {
    const { result } = request;
    for (const store of STORES)
      if (!result.objectStoreNames.contains(store))
        result.createObjectStore(store, store === ENTRIES ? { keyPath: "id" } : {});
  });
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(wordsOf(request.error)));
    request.addEventListener("blocked", () =>
      reject(
        new StorageError("Another tab holds an older version of this page's storage. Close that tab, then try again."),
      ),
    );
  });
}

function wordsOf(error: unknown): Error {
  const { name, message } = (error ?? {}) as { readonly name?: string; readonly message?: string };
  if (name === "QuotaExceededError")
    return new StorageError(
      "The browser's storage is full. Delete a saved run, or download this one as a file. The last save is " +
        "still there.",
    );
  return new StorageError(
    `The browser's storage does not work here (${message || name || "no reason given"}). In a private window it ` +
      "may be off. Download the run as a file instead.",
  );
}

/** One transaction. `work` makes its requests at once, or in the listeners of others of them. */
async function within<T>(mode: IDBTransactionMode, work: (stores: Stores) => IDBRequest<T>): Promise<T> {
  const database = await open();
  // Another tab with a newer version of the page may then upgrade.
  database.addEventListener("versionchange", () => database.close());
  try {
    const transaction = database.transaction(STORES, mode);
    const [entries, contents, sources] = STORES.map((name) => transaction.objectStore(name)) as [
      IDBObjectStore,
      IDBObjectStore,
      IDBObjectStore,
    ];
    const done = new Promise<void>((resolve, reject) => {
      transaction.addEventListener("complete", () => resolve());
      for (const wrong of ["abort", "error"] as const)
        transaction.addEventListener(wrong, () => reject(wordsOf(transaction.error)));
    });
    const request = work({ entries, contents, sources });
    await done;
    return request.result;
  } catch (error) {
    throw error instanceof StorageError ? error : wordsOf(error);
  } finally {
    database.close();
  }
}

/** All saved runs, the newest first. */
export async function listSaved(): Promise<readonly SavedEntry[]> {
  const all = await within<SavedEntry[]>("readonly", ({ entries }) => entries.getAll());
  return all.sort((a, b) => b.savedAt - a.savedAt);
}

/** Saves a run. It replaces a run with the same id, whose data is kept. */
export async function putSaved(entry: SavedEntry, { files, source }: SavedContent): Promise<void> {
  await within("readwrite", ({ entries, contents, sources }) => {
    if (source !== undefined) {
      const known = sources.getKey(entry.id);
      known.addEventListener("success", () => {
        if (known.result === undefined) sources.put(source, entry.id);
      });
    }
    contents.put({ files }, entry.id);
    return entries.put(entry);
  });
}

export async function readSaved(id: string): Promise<SavedContent> {
  let source: IDBRequest<Source | undefined> | undefined;
  const found = await within<Partial<SavedContent> | undefined>("readonly", ({ contents, sources }) => {
    source = sources.get(id) as IDBRequest<Source | undefined>;
    return contents.get(id) as IDBRequest<Partial<SavedContent> | undefined>;
  });
  if (found?.files === undefined)
    throw new StorageError(
      "This run is no longer in the browser's storage. Another tab may have deleted it: reload the page.",
    );
  // Version 1 of the storage held the data beside the files.
  return { files: found.files, source: source?.result ?? found.source };
}

export async function deleteSaved(id: string): Promise<void> {
  await within("readwrite", ({ entries, contents, sources }) => {
    contents.delete(id);
    sources.delete(id);
    return entries.delete(id);
  });
}

/** Sets whether the next start of the page opens an automatic entry. Does nothing where the entry is gone. */
export async function markOpen(id: string, isOpen: boolean): Promise<void> {
  await within("readwrite", ({ entries }) => {
    const found = entries.get(id) as IDBRequest<SavedEntry | undefined>;
    found.addEventListener("success", () => {
      if (found.result !== undefined) entries.put({ ...found.result, open: isOpen });
    });
    return found;
  });
}
