/** The translation of errors into words for the user: what happened, and the next step. */
import { ClozeError } from "@cloze/errors";
import type { Failure } from "../protocol.ts";
import { StorageError } from "../storage.ts";

const TITLES: Readonly<Record<string, string>> = {
  FormatError: "This file cannot be read",
  UnsupportedError: "This cannot run here",
  ConfigError: "This does not go together",
};

/** Messages of the engines that mean "out of memory". */
const MEMORY = new RegExp(
  "out of memory|not enough memory|allocation (failed|size)|Array buffer allocation|memory access out of bounds|" +
    "Invalid typed array length",
  "i",
);

export const isDeviceLost = (error: unknown): boolean =>
  ClozeError.isInstance(error) && error.code === "DeviceLostError";

export function failureOf(error: unknown): Failure {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof DOMException && error.name === "AbortError")
    return { title: "Stopped", text: "Nothing was changed.", stopped: true };
  if (MEMORY.test(text) || (error instanceof RangeError && /length/.test(text)))
    return {
      title: "Out of memory",
      text:
        "Choose a smaller model, fewer rows or shorter rows, and close other pages that use the GPU. The engine " +
        `said: ${text}`,
    };
  if (isDeviceLost(error))
    return {
      title: "The GPU was lost",
      text:
        "What was on it is gone. Load the last saved run, or train anew; what was saved in the browser is still " +
        "there. If it happens again, choose a smaller model or fewer rows. The driver said: " +
        `${(error as { readonly reason?: string }).reason ?? "nothing"}`,
    };
  if (error instanceof StorageError) return { title: "The browser's storage", text };
  if (ClozeError.isInstance(error)) return { title: TITLES[error.code] ?? "Something is wrong", text };
  return {
    title: "Something is wrong",
    text: `${text} Reload the page to begin again; what was saved is still there.`,
  };
}
