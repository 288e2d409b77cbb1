/** The whole conformance suite in a browser. It takes about a minute on SwiftShader, whose device has no f16. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allChecks } from "@cloze/backend-conformance";
import { chromiumPath, NO_CHROMIUM } from "../../../../tooling/chromium.ts";
import { openPage, type Page } from "./chromium.ts";

const path = chromiumPath();

describe("backend webgpu in Chromium", () => {
  let page: Page | undefined;
  beforeAll(async () => {
    if (path !== undefined) page = await openPage(path);
  }, 120_000);
  afterAll(async () => {
    await page?.close();
  }, 60_000);

  it("finds a device", (context) => {
    if (page === undefined) context.skip(NO_CHROMIUM); // allow skip: no browser on this machine; in CI that is a failure
    expect(page?.device).toMatch(/\w/);
  });

  for (const { name } of allChecks()) {
    it(
      name,
      async (context) => {
        if (page === undefined) return context.skip(NO_CHROMIUM); // allow skip: as above
        const { skipped, error } = await page.run(name);
        if (skipped !== undefined) context.skip(skipped); // allow skip: the suite says so, with its reason
        if (error !== undefined) throw new Error(error);
      },
      120_000,
    );
  }
});
