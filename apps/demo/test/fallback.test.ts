/**
 * The page without WebGPU: it says so, computes on WebAssembly, and reports files that it cannot read. The text side is
 * tested here as well.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { chromiumPath, NO_CHROMIUM } from "../../../tooling/chromium.ts";
import { browser, site, type Browser, type Site } from "./browser.ts";
import { seriousFindings } from "./axe.ts";

const path = chromiumPath();
/** Made by tooling/golden/demo.py with transformers. */
const golden = JSON.parse(readFileSync(new URL("bundled-golden.json", import.meta.url), "utf8")) as {
  readonly residue: number;
  readonly protein: readonly { readonly token: string; readonly probability: number }[];
  readonly sentence: string;
  readonly text: readonly { readonly token: string; readonly probability: number }[];
};

describe.sequential("the page without WebGPU", () => {
  let pages: Site;
  let opened: Browser | undefined;
  let page: Page;
  beforeAll(async () => {
    if (path === undefined) return;
    pages = await site();
    opened = await browser(path, pages, { webgpu: false, width: 360 });
    page = await opened.open();
  }, 120_000);
  afterAll(async () => {
    await opened?.close();
    if (opened !== undefined) pages.close();
  }, 60_000);

  const file = async (selector: string, name: string, text: string): Promise<void> =>
    page.setInputFiles(selector, { name, mimeType: "application/octet-stream", buffer: Buffer.from(text) });
  const notice = async (): Promise<string> => {
    await page.waitForSelector(".notice:not([hidden])");
    const text = (await page.textContent(".notice > div")) ?? "";
    await page.click(".notice button");
    return text;
  };

  it("says that it computes on WebAssembly, and why", async (context) => {
    // allow skip: no browser on this machine; in CI that is a failure
    if (opened === undefined) return context.skip(NO_CHROMIUM);
    await page.waitForFunction("document.querySelector('.device').textContent.startsWith('Computes')");
    const said = await page.textContent(".device");
    expect(said).toContain("Computes on WebAssembly");
    expect(said).toMatch(/because this browser (has no WebGPU|finds no WebGPU adapter)/);
    expect(await page.isVisible(".help summary")).toBe(true);
  });

  it("shows the bundled models before there is data, with the guesses that transformers has", async (context) => {
    if (opened === undefined) return context.skip(NO_CHROMIUM); // allow skip: as above
    await page.waitForFunction("document.querySelector('.about').textContent.startsWith('The bundled model')");
    await page.waitForFunction("document.querySelector('.maps canvas').width > 1");
    const bars = async (panel: string): Promise<readonly string[]> => {
      await page.waitForSelector(`${panel} .bars li`);
      return page.locator(`${panel} .bars li`).allInnerTexts();
    };
    const words = (guesses: typeof golden.protein): readonly unknown[] =>
      guesses.map(({ token, probability }) =>
        expect.stringMatching(`^${token}\\s+${(probability * 100).toFixed(1)} %`),
      );
    await page.locator(".residues button").nth(golden.residue).click();
    expect((await bars("#panel-protein")).slice(0, golden.protein.length)).toEqual(words(golden.protein));
    await page.click("#tab-text");
    await page.waitForFunction("document.querySelector('#panel-text .about').textContent.startsWith('The bundled')");
    expect(await page.inputValue("#fill-text")).toBe(golden.sentence);
    expect(await bars("#panel-text")).toEqual(words(golden.text));
    await page.click("#tab-protein");
    expect(await page.locator("text=There is no model yet").count()).toBe(0);
  }, 120_000);

  it("tells of files that it cannot read, and goes on", async (context) => {
    if (opened === undefined) return context.skip(NO_CHROMIUM); // allow skip: as above
    await file("#protein-file", "paper.pdf", "%PDF-1.7 and more");
    expect(await notice()).toContain("This file cannot be read");
    await page.fill("#protein-paste", ">reads\nACGTACGTTTGGCCAACGTACGT\n");
    await page.click("text=Use these proteins");
    expect(await notice()).toContain("Pasted proteins: expected proteins, got DNA or RNA");
    await page.fill("#protein-paste", "MKTAYIAKQRQISFVKSHFSRQ");
    await page.click("text=Use these proteins");
    expect(await notice()).toContain("Give each sequence a header line that starts with '>'");
    await file("#protein-file", "cut.fasta.gz", "\x1f\x8b and nothing that gzip knows");
    expect(await notice()).toContain("cut.fasta.gz");
    await file("#protein-file", "empty.fasta", ">one\n>two\n");
    expect(await notice()).toContain("expected proteins");
    await file("#protein-open", "other.zip", "this is no archive, though it is longer than twenty-two bytes");
    expect(await notice()).toContain("no zip archive");
    expect(await page.isDisabled("button.main")).toBe(true);
  });

  it("stops what is under way, saves while it trains, and opens what was downloaded, with its data and without", async (context) => {
    if (opened === undefined) return context.skip(NO_CHROMIUM); // allow skip: as above
    const proteins = Array.from(
      { length: 150 },
      (_, i) =>
        `>protein ${i}\n` +
        `${Array.from({ length: 24 + (i % 9) }, (_, j) => "ACDEFGHIKLMNPQRSTVWY"[(i * 7 + j * j) % 20]).join("")}\n`,
    ).join("");
    const phase = async (text: string): Promise<unknown> =>
      page.waitForFunction(
        `document.querySelector(".phase").textContent.includes(${JSON.stringify(text)})`,
        undefined,
        { timeout: 120_000 },
      );
    await file("#protein-file", "proteins.fasta", proteins);
    await phase("Ready");
    await page.fill("#protein-steps", "2000");
    await page.click(".fields summary");
    await page.fill("#protein-length", "40");
    await page.fill("#protein-rows", "4");
    await page.click("button.main");
    await page.waitForFunction("['Stop', 'Pause'].includes(document.querySelector('button.main').textContent)");
    await page.click("button.main"); // Stop, or Pause where the preparation is already over
    await page.waitForFunction("/Ready|Paused/.test(document.querySelector('.phase').textContent)");
    await page.click("button.main");
    await phase("Training");
    await page.waitForFunction("/^([3-9]|\\d\\d+) of/.test(document.querySelector('.stats dd').textContent)");
    await page.click("text=Save in this browser");
    await page.waitForSelector(".saved li:not(.automatic)");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download as .zip")]);
    const zip = readFileSync(await download.path());
    await page.click("text=Score every substitution");
    await page.click("text=Stop scoring", { timeout: 5000 }).catch(() => {}); // The scoring may be over already.
    await page.waitForSelector("text=Score every substitution");
    await page.click("button.main");
    await phase("Paused");
    await page.click("text=Start over");
    await phase("Ready");

    await page.reload();
    const open = async (): Promise<void> =>
      page.setInputFiles("#protein-open", { name: "run.zip", mimeType: "application/zip", buffer: zip });
    await open();
    await phase("Loaded without its data");
    expect(await page.isDisabled("button.main")).toBe(true);
    await file("#protein-file", "proteins.fasta", proteins);
    await page.locator(".residues button").nth(3).click();
    await page.waitForSelector(".bars li");
    await open();
    await phase("Paused");
    expect(await page.textContent(".stats dd")).toMatch(/^\d+ of 2,000$/);
    for (let left = await page.locator(".saved li").count(); left > 0; left--) {
      await page.locator(".saved button >> text=Delete").first().click();
      await page.waitForFunction(`document.querySelectorAll(".saved li").length < ${left}`);
    }
    expect(await page.isVisible(".notice")).toBe(false);
  }, 300_000);

  it("trains a vocabulary and a text encoder on pasted text, and fills a mask", async (context) => {
    if (opened === undefined) return context.skip(NO_CHROMIUM); // allow skip: as above
    await page.click("#tab-text");
    const words = ["sun", "moon", "star", "cloud", "rain", "wind"];
    const documents = Array.from(
      { length: 120 },
      (_, i) =>
        `the ${words[i % 6]} is over the sea .\nthe ${words[(i * 5 + 1) % 6]} and the ${words[(i + 2) % 6]} are ` +
        `far number ${i} .`,
    );
    await page.fill("#text-paste", documents.join("\n\n"));
    await page.fill("#text-vocabulary", "200");
    await page.click("text=Use this text");
    await page.waitForFunction(
      "document.querySelector('#panel-text .data-summary').textContent.includes('a vocabulary of')",
    );
    await page.waitForSelector(".piece:not(.special)");
    await page.selectOption("#text-objective", "mlm+nsp");
    await page.fill("#text-steps", "6");
    await page.click("#panel-text .fields summary");
    await page.fill("#text-length", "24");
    await page.fill("#text-rows", "4");
    await page.click("#panel-text button.main");
    await page.waitForFunction(
      "document.querySelector('#panel-text .phase').textContent.startsWith('Finished')",
      undefined,
      { timeout: 240_000 },
    );
    await page.fill("#fill-text", "the [MASK] is over the sea .");
    await page.click("text=Fill the mask");
    await page.waitForSelector("#panel-text .bars li");
    expect(await seriousFindings(page)).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    expect(opened.problems).toEqual([]);
    expect([...opened.hosts]).toEqual([new URL(pages.url).host]); // nothing leaves the machine
  }, 400_000);
});
