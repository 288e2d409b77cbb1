/**
 * The maker of the README's pictures, docs/images/demo.png and docs/images/report.png, in headless Chromium:
 *
 *   npx tsx --conditions=@cloze/source tooling/pictures.ts RUN
 *
 * RUN: the run of the demo's protein model (tooling/demo-models.ts), whose report is the second picture. The page
 * computes on WebAssembly, so the first picture is the same on every machine, up to its fonts.
 */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { browser, site } from "../apps/demo/test/browser.ts";
import { chromiumPath, NO_CHROMIUM } from "./chromium.ts";
import { smallPng } from "./small-png.ts";

const FOLDER = fileURLToPath(new URL("../docs/images/", import.meta.url));
const WIDTH = 1240;
const LARGEST_BYTES = 200_000;

async function demo(chromium: string): Promise<void> {
  const pages = await site();
  const opened = await browser(chromium, pages, { webgpu: false, width: WIDTH });
  try {
    const page = await opened.open("?device=wasm");
    await page.waitForFunction("document.querySelector('.about')?.textContent.includes('The bundled model')");
    await page.locator(".residues button").nth(20).click();
    await page.waitForSelector(".bars li");
    await page.waitForFunction("document.querySelector('.maps canvas').width > 1");
    // The line about the device is of one machine, so the picture begins below it.
    const [top, bottom] = (await page.evaluate(
      `[".side", "#panel-protein .maps"].map((name, i) => {
        const { top, bottom } = document.querySelector(name).getBoundingClientRect();
        return (i === 0 ? top : bottom) + scrollY;
      })`,
    )) as [number, number];
    const clip = { x: 0, y: top - 24, width: WIDTH, height: bottom - top + 40 };
    writeFileSync(join(FOLDER, "demo.png"), smallPng(await page.screenshot({ fullPage: true, clip })));
  } finally {
    await opened.close();
    pages.close();
  }
}

async function report(chromium: string, run: string): Promise<void> {
  const address = pathToFileURL(join(resolve(run), "report.html")).href;
  const opened = await browser(chromium, { url: address }, { webgpu: false, width: WIDTH });
  try {
    const page = await opened.open();
    const clip = { x: 0, y: 0, width: WIDTH, height: 900 };
    writeFileSync(join(FOLDER, "report.png"), smallPng(await page.screenshot({ clip })));
  } finally {
    await opened.close();
  }
}

const [run] = process.argv.slice(2);
const chromium = chromiumPath();
if (run === undefined || chromium === undefined) {
  console.error(run === undefined ? "usage: npx tsx --conditions=@cloze/source tooling/pictures.ts RUN" : NO_CHROMIUM);
  process.exit(2);
}
mkdirSync(FOLDER, { recursive: true });
await report(chromium, run);
await demo(chromium);
for (const name of ["demo.png", "report.png"]) {
  const { size } = statSync(join(FOLDER, name));
  console.log(`docs/images/${name}: ${size} bytes`);
  if (size > LARGEST_BYTES) throw new Error(`${name}: expected at most ${LARGEST_BYTES} bytes, got ${size}`);
}
