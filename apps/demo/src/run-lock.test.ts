/**
 * One writer for each saved run. Oracle: the Web Locks specification (W3C), as Node's own `navigator.locks` or a small
 * model of it has it: an exclusive lock has one holder, and `ifAvailable` gives null to all others.
 */
import { describe, expect, it } from "vitest";
import { lockedIds, ownId, type Locks } from "./run-lock.ts";

/** Web Locks in memory: exclusive, `ifAvailable` only. */
function locksInMemory(): Locks {
  const held = new Set<string>();
  const request = async (
    name: string,
    _options: LockOptions,
    work: (lock: Lock | null) => unknown,
  ): Promise<unknown> => {
    if (held.has(name)) return work(null);
    held.add(name);
    try {
      return await work({ name, mode: "exclusive" });
    } finally {
      held.delete(name);
    }
  };
  return {
    request: request as Locks["request"],
    query: async () => ({ held: [...held].map((name) => ({ name, mode: "exclusive" as const, clientId: "" })) }),
  };
}

describe("the id of a saved run", () => {
  it("has one owner; the next gets a new id, and the old one when it is free", async () => {
    const locks = locksInMemory();
    const first = await ownId(locks, "run");
    expect(first).toMatchObject({ id: "run", copied: false });
    const second = await ownId(locks, "run");
    expect(second.copied).toBe(true);
    expect(second.id).not.toBe("run");
    expect(await lockedIds(locks)).toEqual(new Set(["run", second.id]));
    await first.release();
    expect(await ownId(locks, "run")).toMatchObject({ id: "run", copied: false });
  });

  it("is new for every tab where there are no locks", async () => {
    const tabs = await Promise.all([ownId(undefined, "run"), ownId(undefined, "run"), ownId(undefined, undefined)]);
    expect(new Set(["run", ...tabs.map(({ id }) => id)]).size).toBe(4);
    expect(tabs.map(({ copied }) => copied)).toEqual([true, true, false]);
    expect(await lockedIds(undefined)).toEqual(new Set());
  });
});
