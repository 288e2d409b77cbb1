/**
 * The store of saved runs in the browser (IndexedDB). One transaction writes a run together with its entry in the list.
 */
import type { Files, Side, Source } from "./protocol.ts";

export interface SavedEntry {
  readonly id: string;
  readonly side: Side;
  readonly name: string;
  readonly step: number;
  readonly loss: number | undefined;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
}

export interface SavedContent {
  readonly files: Files;
  readonly source: Source | undefined;
}

const NAME = "cloze-demo";
const ENTRIES = "entries";
const CONTENTS = "contents";

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, 1);
  request.addEventListener("upgradeneeded", () => {
    request.result.createObjectStore(ENTRIES, { keyPath: "id" });
    request.result.createObjectStore(CONTENTS);
  });
  return resultOf(request);
}

const resultOf = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(wordsOf(request.error)));
  });

function wordsOf(error: DOMException | null): Error {
  if (error?.name === "QuotaExceededError")
    return new Error("The browser's storage is full. Delete a saved run, or download this one as a file.");
  return new Error(
    `The browser's storage does not work here (${error?.message ?? "no reason given"}). In a private window it ` +
      "may be off. Download the run as a file instead.",
  );
}

async function within<T>(
  mode: IDBTransactionMode,
  work: (entries: IDBObjectStore, contents: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open();
  try {
    const transaction = database.transaction([ENTRIES, CONTENTS], mode);
    const request = work(transaction.objectStore(ENTRIES), transaction.objectStore(CONTENTS));
    await new Promise<void>((resolve, reject) => {
      transaction.addEventListener("complete", () => resolve());
      for (const wrong of ["abort", "error"] as const)
        transaction.addEventListener(wrong, () => reject(wordsOf(transaction.error)));
    });
    return request.result;
  } finally {
    database.close();
  }
}

export async function listSaved(): Promise<readonly SavedEntry[]> {
  const all = await within<SavedEntry[]>("readonly", (entries) => entries.getAll());
  return all.sort((a, b) => b.savedAt - a.savedAt);
}

/** Saves a run. It replaces a run with the same id. */
export async function putSaved(entry: SavedEntry, content: SavedContent): Promise<void> {
  await within("readwrite", (entries, contents) => {
    contents.put(content, entry.id);
    return entries.put(entry);
  });
}

export async function readSaved(id: string): Promise<SavedContent> {
  const found = await within<SavedContent | undefined>(
    "readonly",
    (_, contents) => contents.get(id) as IDBRequest<SavedContent | undefined>,
  );
  if (found === undefined)
    throw new Error(
      "This run is no longer in the browser's storage. Another tab may have deleted it: reload the page.",
    );
  return found;
}

export async function deleteSaved(id: string): Promise<void> {
  await within("readwrite", (entries, contents) => {
    contents.delete(id);
    return entries.delete(id);
  });
}
