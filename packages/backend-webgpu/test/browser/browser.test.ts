/**
 * The suite that defines a backend, in a browser. A pipeline costs SwiftShader up to 650 ms, and the whole suite runs in Node
 * anyway; here one case of each (op, dtype, direction) runs, and every check of whole programs.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allChecks, type Check } from "@cloze/backend-conformance";
import { chromiumPath, openPage, type Page } from "./chromium.ts";

/** Names of cases are `op > what > dtype > direction`; the rest are checks of programs. */
const isCase = (name: string): boolean => /> (forward|gradient)$/.test(name);

function chosen(checks: readonly Check[]): readonly Check[] {
  const seen = new Set<string>();
  return checks.filter(({ name }) => {
    const parts = name.split(" > "), kind = [parts[0], ...parts.slice(-2)].join();
    if (!isCase(name)) return true;
    if (seen.has(kind)) return false;
    seen.add(kind);
    return true;
  });
}

const path = chromiumPath(), missing = "no Chromium: install it, or name one in CHROMIUM";

describe("backend webgpu in Chromium", () => {
  let page: Page | undefined;
  beforeAll(async () => {
    if (path !== undefined) page = await openPage(path);
    else if (process.env["CI"] !== undefined) throw new Error(missing);
  }, 120_000);
  afterAll(async () => { await page?.close(); }, 60_000);

  it("finds a device", (context) => {
    if (page === undefined) context.skip(missing); // allow skip: no browser on this machine; in CI that is a failure
    expect(page?.device).toMatch(/\w/);
  });

  for (const { name } of chosen(allChecks())) {
    it(name, async (context) => {
      if (page === undefined) return context.skip(missing); // allow skip: as above
      const { skipped, error } = await page.run(name);
      if (skipped !== undefined) context.skip(skipped); // allow skip: the suite says so, with its reason
      if (error !== undefined) throw new Error(error);
    }, 120_000);
  }
});
