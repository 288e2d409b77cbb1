/**
 * The entries of one run in the browser's storage: the visitor's own, and the page's. The page saves by itself while it
 * trains, at pauses, and when the page is hidden or closed. The two entries have different ids, so the page never
 * replaces what the visitor has saved.
 */
import type { Files, SavedEntry, Side, Source } from "../protocol.ts";
import { lockedIds, ownId, type Locks, type OwnedId } from "../run-lock.ts";
import { deleteSaved, listSaved, markOpen, putSaved } from "../storage.ts";

/** Number of automatic entries that stay for each side of the page. */
const KEPT = 3;
/** Shortest time between two automatic saves, and the share of the time that they may take. */
const EVERY_MS = 15_000;
const SHARE = 0.05;
/** Time to the next try after a save that failed. */
const AFTER_FAILURE_MS = 60_000;

/** A run at one step, as it is saved. */
export interface Snapshot {
  readonly name: string;
  readonly step: number;
  readonly loss: number | undefined;
  readonly files: Files;
  readonly source: Source | undefined;
}

/** The entries from which a run was opened. */
export interface OpenedFrom {
  readonly manual?: string;
  readonly automatic?: string;
}

export class Keeper {
  readonly #side: Side;
  readonly #manual: OwnedId;
  readonly #automatic: OwnedId;
  /** The last step in the browser's storage, or the step from which the run was opened. */
  savedStep: number;
  #nextAt: number;
  /** Entries of this run that the next start of the page would open. */
  readonly #open = new Set<string>();

  private constructor(side: Side, manual: OwnedId, automatic: OwnedId, savedStep: number) {
    this.#side = side;
    this.#manual = manual;
    this.#automatic = automatic;
    this.savedStep = savedStep;
    this.#nextAt = performance.now() + EVERY_MS;
  }

  static async own(locks: Locks | undefined, side: Side, from: OpenedFrom, step: number): Promise<Keeper> {
    return new Keeper(side, await ownId(locks, from.manual), await ownId(locks, from.automatic), step);
  }

  /** Another tab has the opened entry, so this run is a copy. */
  get copied(): boolean {
    return this.#manual.copied || this.#automatic.copied;
  }

  /** True where the page should save the run by itself at this step. */
  isDue(step: number): boolean {
    return step > this.savedStep && performance.now() >= this.#nextAt;
  }

  async save(snapshot: Snapshot, automatic: boolean): Promise<SavedEntry> {
    const { name, step, loss, files, source } = snapshot;
    const began = performance.now();
    const entry: SavedEntry = {
      id: (automatic ? this.#automatic : this.#manual).id,
      side: this.#side,
      name,
      step,
      loss,
      bytes: Object.values(files).reduce((n, file) => n + file.length, source?.bytes?.length ?? 0),
      savedAt: Date.now(),
      ...(automatic && { automatic, open: true }),
    };
    try {
      await putSaved(entry, { files, source });
    } catch (error) {
      this.#nextAt = performance.now() + AFTER_FAILURE_MS;
      throw error;
    }
    this.savedStep = Math.max(this.savedStep, step);
    const ended = performance.now();
    this.#nextAt = ended + Math.max(EVERY_MS, (ended - began) / SHARE);
    if (automatic) {
      for (const other of this.#open) if (other !== entry.id) await this.#setOpen(other, false);
      this.#open.add(entry.id);
    }
    return entry;
  }

  /** For a run that was opened from the automatic entry `id`: the next start opens it again. */
  reopened(id: string): Promise<void> {
    return this.#setOpen(id, true);
  }

  /** The visitor closes the run: the next start does not open it. Its entries stay. */
  async close(locks: Locks | undefined): Promise<void> {
    try {
      for (const id of this.#open) await this.#setOpen(id, false);
      await this.#prune(locks);
    } finally {
      await this.release();
    }
  }

  async release(): Promise<void> {
    await this.#manual.release();
    await this.#automatic.release();
  }

  async #setOpen(id: string, isOpen: boolean): Promise<void> {
    await markOpen(id, isOpen);
    if (isOpen) this.#open.add(id);
    else this.#open.delete(id);
  }

  /** Deletes the oldest automatic entries that no tab has open. */
  async #prune(locks: Locks | undefined): Promise<void> {
    const locked = await lockedIds(locks);
    const mine = (await listSaved()).filter(({ side, automatic }) => side === this.#side && automatic === true);
    for (const { id } of mine.slice(KEPT)) if (!locked.has(id)) await deleteSaved(id);
  }
}
