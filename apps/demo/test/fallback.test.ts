/** The page where there is no WebGPU: it says so, computes on WebAssembly, and tells of files it cannot read. The text side is tried here. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { browser, chromiumPath, site, type Browser, type Site } from "./browser.ts";
import { seriousFindings } from "./axe.ts";

const path = chromiumPath(), missing = "no Chromium: install it, or name one in CHROMIUM";

describe.sequential("the page without WebGPU", () => {
  let pages: Site, opened: Browser | undefined, page: Page;
  beforeAll(async () => {
    if (path === undefined) {
      if (process.env["CI"] !== undefined) throw new Error(missing);
      return;
    }
    pages = await site();
    opened = await browser(path, pages, { webgpu: false, width: 360 });
    page = await opened.open();
  }, 120_000);
  afterAll(async () => {
    await opened?.close();
    if (opened !== undefined) pages.close();
  }, 60_000);

  const file = async (selector: string, name: string, text: string): Promise<void> => page.setInputFiles(selector, { name, mimeType: "application/octet-stream", buffer: Buffer.from(text) });
  const notice = async (): Promise<string> => {
    await page.waitForSelector(".notice:not([hidden])");
    const text = (await page.textContent(".notice > div")) ?? "";
    await page.click(".notice button");
    return text;
  };

  it("says that it computes on WebAssembly, and why", async (context) => {
    if (opened === undefined) return context.skip(missing); // allow skip: no browser on this machine; in CI that is a failure
    await page.waitForFunction("document.querySelector('.device').textContent.startsWith('Computes')");
    const said = await page.textContent(".device");
    expect(said).toContain("Computes on WebAssembly");
    expect(said).toMatch(/WebGPU: this browser (has no WebGPU|finds no WebGPU adapter)/);
  });

  it("tells of files that it cannot read, and goes on", async (context) => {
    if (opened === undefined) return context.skip(missing); // allow skip: as above
    await file("#protein-file", "paper.pdf", "%PDF-1.7 and more");
    expect(await notice()).toContain("This file cannot be read");
    await file("#protein-file", "cut.fasta.gz", "\x1f\x8b and nothing that gzip knows");
    expect(await notice()).toContain("cut.fasta.gz");
    await file("#protein-file", "empty.fasta", ">one\n>two\n");
    expect(await notice()).toContain("expected proteins to train on");
    await file("#protein-open", "other.zip", "this is no archive, though it is longer than twenty-two bytes");
    expect(await notice()).toContain("no zip archive");
    expect(await page.isDisabled("button.main")).toBe(true);
  });

  it("trains a vocabulary and a text encoder on pasted text, and fills a mask", async (context) => {
    if (opened === undefined) return context.skip(missing); // allow skip: as above
    await page.click("#tab-text");
    const words = ["sun", "moon", "star", "cloud", "rain", "wind"], documents = Array.from({ length: 120 }, (_, i) => `the ${words[i % 6]} is over the sea .\nthe ${words[(i * 5 + 1) % 6]} and the ${words[(i + 2) % 6]} are far number ${i} .`);
    await page.fill("#text-paste", documents.join("\n\n"));
    await page.fill("#text-vocabulary", "200");
    await page.click("text=Use this text");
    await page.waitForFunction("document.querySelector('#panel-text .data-summary').textContent.includes('a vocabulary of')");
    await page.waitForSelector(".piece:not(.special)");
    await page.selectOption("#text-objective", "mlm+nsp");
    await page.fill("#text-steps", "6");
    await page.click("#panel-text summary");
    await page.fill("#text-length", "24");
    await page.fill("#text-rows", "4");
    await page.click("#panel-text button.main");
    await page.waitForFunction("document.querySelector('#panel-text .phase').textContent.startsWith('Finished')", undefined, { timeout: 240_000 });
    await page.fill("#fill-text", "the [MASK] is over the sea .");
    await page.click("text=Fill the mask");
    await page.waitForSelector("#panel-text .bars li");
    expect(await seriousFindings(page)).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    expect(opened.problems).toEqual([]);
    expect([...opened.hosts]).toEqual([new URL(pages.url).host]); // nothing leaves the machine
  }, 400_000);
});
