/** The Chromium that tests of pages run in. Where there is none they are skipped, and in CI they fail. */
import { existsSync } from "node:fs";

const usual: readonly string[] = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The reason of a test that is skipped. */
export const NO_CHROMIUM = "no Chromium: install it, or name one in CHROMIUM";

/**
 * The path of Chromium, or undefined: the file that the variable CHROMIUM names, or one of the usual places where the
 * variable is not set. Throws in CI where there is none, because `.ci/webgpu-drivers` installs it.
 */
export function chromiumPath(): string | undefined {
  const named = process.env["CHROMIUM"];
  const path = (named === undefined ? usual : [named]).find((file) => existsSync(file));
  if (path === undefined && (process.env["CI"] ?? "") !== "") throw new Error(`CI has ${NO_CHROMIUM}`);
  return path;
}
