/** The Chromium for the tests of web pages. Without Chromium the tests are skipped, and in CI they fail. */
import { existsSync } from "node:fs";

const usual: readonly string[] = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The reason in a skipped test. */
export const NO_CHROMIUM = "no Chromium: install it, or name one in CHROMIUM";

/**
 * The path of Chromium, or undefined. The environment variable CHROMIUM names the file; where the variable is not set,
 * the first of the usual paths that exists. With CLOZE_EXPECT_DRIVERS=1 a missing Chromium is an error: the
 * checks of `.ci/run` set it, because `.ci/webgpu-drivers` installs Chromium.
 */
export function chromiumPath(): string | undefined {
  const named = process.env["CHROMIUM"];
  const path = (named === undefined ? usual : [named]).find((file) => existsSync(file));
  if (path === undefined && process.env["CLOZE_EXPECT_DRIVERS"] === "1")
    throw new Error(`CLOZE_EXPECT_DRIVERS=1: ${NO_CHROMIUM}`);
  return path;
}
