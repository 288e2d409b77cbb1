import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import { chromiumPath, NO_CHROMIUM } from "../../../../tooling/chromium.ts";

test("tiles outlive the page in IndexedDB, and what is no tile counts as missing", async (context) => {
  const executablePath = chromiumPath();
  // allow skip: no browser on this machine; in CI that is a failure
  if (executablePath === undefined) return context.skip(NO_CHROMIUM);
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("browser-cache.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "tiles",
    platform: "browser",
    conditions: ["@cloze/source"],
  });
  const script = outputFiles[0]?.text ?? "";
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.route("http://localhost/**", (route) =>
      route.fulfill({ contentType: "text/html", body: `<!doctype html><script>${script}</script>` }),
    );
    const tile = { kind: "register", rows: 16, columns: 4, lanes: 8, splits: 1 };
    await page.goto("http://localhost/");
    expect(
      await page.evaluate(
        `(async () => { const c = tiles.browserCache(indexedDB), none = await c.get("a"); await c.set("a", ` +
          `${JSON.stringify(tile)}); await c.set("b", { kind: "other" }); return none === undefined; })()`,
      ),
    ).toBe(true);
    await page.reload();
    expect(
      await page.evaluate(
        `(async () => { const c = tiles.browserCache(indexedDB); return [await c.get("a"), (await c.get("b")) ` +
          "=== undefined]; })()",
      ),
    ).toEqual([tile, true]);
  } finally {
    await browser.close();
  }
}, 120_000);
