/**
 * One writer for each saved run. A tab holds the lock of every entry that it writes (Web Locks), until it closes the
 * run or ends. A tab that finds an entry locked works on a copy under a new id. Without Web Locks (a page over plain
 * http from another machine) every opened run is such a copy, so two tabs never write one entry.
 */

export interface OwnedId {
  readonly id: string;
  /** The wanted id was taken, so this is a new one. */
  readonly copied: boolean;
  /** Resolves when the lock is free again. */
  readonly release: () => Promise<void>;
}

/** The part of `navigator.locks` that this file uses. */
export type Locks = Pick<LockManager, "request" | "query">;

const PREFIX = "cloze-demo:";

/** A new id. (`crypto.randomUUID` is missing where the page comes over plain http from another machine.) */
export const newId = (): string => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;

/** Takes `wanted` if no other tab has it, otherwise a new id. */
export async function ownId(locks: Locks | undefined, wanted: string | undefined): Promise<OwnedId> {
  if (wanted !== undefined) {
    const release = await lock(locks, wanted);
    if (release !== undefined) return { id: wanted, copied: false, release };
  }
  const id = newId();
  return { id, copied: wanted !== undefined, release: (await lock(locks, id)) ?? (async () => {}) };
}

/** The function that releases the lock. Undefined: another tab holds it, or there are no locks. */
function lock(locks: Locks | undefined, id: string): Promise<(() => Promise<void>) | undefined> {
  if (locks === undefined) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const over: Promise<void> = locks
      .request(`${PREFIX}${id}`, { ifAvailable: true }, (held) => {
        if (held === null) return resolve(undefined);
        return new Promise<void>((end) => {
          resolve(() => {
            end();
            return over;
          });
        });
      })
      .then(() => {}, reject);
  });
}

/** The ids that some tab holds. */
export async function lockedIds(locks: Locks | undefined): Promise<ReadonlySet<string>> {
  const { held = [] } = (await locks?.query()) ?? {};
  return new Set(held.flatMap(({ name }) => (name?.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : [])));
}
