/**
 * What keeps a run: the question before a reload, the page's own saves, the exact resume at the next start, one writer
 * for two tabs, and a full storage. Oracle of the resume: the same run without an interruption.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { parseMetricsText } from "../src/run-files.ts";
import { readZip } from "../src/zip.ts";
import { chromiumPath, NO_CHROMIUM } from "../../../tooling/chromium.ts";
import { browser, site, type Browser, type Site } from "./browser.ts";

const path = chromiumPath();
const STEPS = 60;
const PROTEINS = Array.from(
  { length: 150 },
  (_, i) =>
    `>protein ${i}\n` +
    `${Array.from({ length: 24 + (i % 9) }, (_, j) => "ACDEFGHIKLMNPQRSTVWY"[(i * 7 + j * j) % 20]).join("")}\n`,
).join("");

describe.sequential("keeping a run", () => {
  let pages: Site;
  let opened: Browser | undefined;
  beforeAll(async () => {
    if (path === undefined) return;
    pages = await site();
    opened = await browser(path, pages, { webgpu: false });
  }, 120_000);
  afterAll(async () => {
    await opened?.close();
    if (opened !== undefined) pages.close();
  }, 60_000);

  it("asks before a reload, goes on from its own save with the same losses, and writes from one tab only", async (context) => {
    // allow skip: no browser on this machine; in CI that is a failure
    if (opened === undefined) return context.skip(NO_CHROMIUM);
    const page = await opened.open();
    await settle(page, STEPS);
    await page.click("button.main");
    await says(page, ".phase", "Finished");
    const whole = await downloaded(page);
    await page.click("text=Start over");
    await says(page, ".phase", "Ready");

    await page.click("button.main");
    await page.waitForFunction("/^([3-9]|\\d\\d) of/.test(document.querySelector('.stats dd').textContent)");
    // The answer to the question is to stay: the run goes on, and the page has saved meanwhile.
    const asked = new Promise<string>((resolve) => {
      page.once("dialog", (dialog) => {
        resolve(dialog.type());
        void dialog.dismiss();
      });
    });
    await page.evaluate("void setTimeout(() => location.reload())");
    expect(await asked).toBe("beforeunload");
    await says(page, ".autosaved", "Last: step");
    expect(await page.textContent(".phase")).not.toContain("Ready");

    // A second tab finds the run in use. It may open a copy, and then writes an entry of its own.
    const second = await opened.open();
    await says(second, "#panel-protein", "The last run is open in another tab of this page.");
    await second.click(".saved li.automatic button >> text=Load");
    await says(second, "#panel-protein", "This is a copy of it");
    await second.close();

    // The answer is to leave, and the page comes back with the run.
    page.on("dialog", (dialog) => void dialog.accept());
    await says(page, ".phase", "Training");
    await page.reload();
    await says(page, ".phase", "Paused");
    await says(page, "#panel-protein", "The run is as it was at step");
    const step = Number(/^(\d+) of/.exec((await page.textContent(".stats dd")) ?? "")?.[1]);
    expect(step).toBeGreaterThan(2);
    expect(step).toBeLessThan(STEPS);
    await page.click("button.main");
    await says(page, ".phase", "Finished");
    const resumed = await downloaded(page);
    expect(untimed(resumed)).toEqual(untimed(whole));
    expect(resumed["model.safetensors"]).toEqual(whole["model.safetensors"]);
    // What the visitor closes is not opened at the next start, and is still in the list.
    await page.click("text=Start over");
    await says(page, ".phase", "Ready");
    await page.reload();
    await says(page, ".about", "The bundled model");
    await says(page, ".phase", "Choose data");
    expect(await page.locator(".saved li.automatic").count()).toBeGreaterThan(0);
    expect(opened.problems).toEqual([]);
    await page.close();
  }, 300_000);

  it("says when the storage is full, and keeps the last save", async (context) => {
    // A browser of its own: Chromium remembers for a while what room it has granted.
    if (path === undefined) return context.skip(NO_CHROMIUM); // allow skip: as above
    const fresh = await browser(path, pages, { webgpu: false });
    try {
      const page = await fresh.open();
      const session = await page.context().newCDPSession(page);
      const { origin } = new URL(pages.url);
      await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
      await settle(page, 100_000);
      await page.click("button.main");
      // Nobody asks for this save: it comes with time.
      await says(page, ".autosaved", "The browser's storage is full");
      await page.click("button.main");
      await says(page, ".phase", "Paused");
      await page.click("text=Save in this browser");
      await page.waitForFunction("document.querySelector('.notice').textContent.includes('storage is full')");
      expect(await page.locator(".saved li").count()).toBe(0);

      await session.send("Storage.overrideQuotaForOrigin", { origin });
      await page.click("text=Save in this browser");
      await page.waitForSelector(".saved li:not(.automatic)");
      const list = await page.textContent(".saved li:not(.automatic)");

      // A save that ends in the middle: the list and the save before it stay as they were.
      const broken = `{
        const { put } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.put = function (...values) {
          const request = put.apply(this, values);
          this.transaction.abort();
          return request;
        };
      }`;
      for (const worker of page.workers()) await worker.evaluate(broken);
      await page.click("text=Save in this browser");
      await page.waitForFunction("document.querySelector('.notice').textContent.includes('storage does not work')");
      page.on("dialog", (dialog) => void dialog.accept());
      await page.reload();
      expect(await page.textContent(".saved li:not(.automatic)")).toBe(list);
      await page.click(".saved li:not(.automatic) button >> text=Load");
      await says(page, ".phase", "Paused");
      await page.close();
    } finally {
      await fresh.close();
    }
  }, 300_000);
});

/** Opens the proteins, and sets a run of small steps. */
async function settle(page: Page, steps: number): Promise<void> {
  await page.setInputFiles("#protein-file", {
    name: "proteins.fasta",
    mimeType: "application/octet-stream",
    buffer: Buffer.from(PROTEINS),
  });
  await says(page, ".phase", "Ready");
  await page.click(".fields summary");
  for (const [name, value] of Object.entries({ steps, length: 40, rows: 4 }))
    await page.fill(`#protein-${name}`, String(value));
}

async function says(page: Page, selector: string, text: string): Promise<void> {
  await page.waitForFunction(
    `document.querySelector(${JSON.stringify(selector)})?.textContent.includes(${JSON.stringify(text)})`,
    undefined,
    { timeout: 120_000 },
  );
}

async function downloaded(page: Page): Promise<Readonly<Record<string, Uint8Array>>> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download as .zip")]);
  return readZip(Uint8Array.from(readFileSync(await download.path())));
}

const untimed = (files: Readonly<Record<string, Uint8Array>>): readonly object[] =>
  parseMetricsText(new TextDecoder().decode(files["metrics.jsonl"])).map((row) => ({ ...row, time: undefined }));
