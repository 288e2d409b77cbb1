/**
 * What keeps a run when the page goes away: a question before a reload or a closed tab loses steps, a save when the
 * page is hidden or left, and no navigation to a file that is dropped beside the place for it.
 */

export interface Leaving {
  /** Steps that would be lost with the page. */
  readonly unsavedSteps: number;
  readonly saveSteps: () => void;
}

export function guardLeaving(parts: () => Iterable<Leaving>): void {
  const save = (): boolean => {
    const unsaved = [...parts()].filter(({ unsavedSteps }) => unsavedSteps > 0);
    for (const part of unsaved) part.saveSteps();
    return unsaved.length > 0;
  };
  addEventListener("beforeunload", (event) => {
    // The worker saves while the browser asks, so little is lost either way.
    if (!save()) return;
    event.preventDefault();
    event.returnValue = true; // Chrome before 119 asks only where this is set.
  });
  addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") save();
  });
  for (const kind of ["dragover", "drop"] as const) addEventListener(kind, (event) => event.preventDefault());
}
