// A bench of the demo's foretold times: what the page says a run will take, beside what it takes, on WebAssembly and,
// with --software-webgpu, on SwiftShader. It prints JSON lines.
//
//   node --import tsx --conditions=@cloze/source tooling/demo-times.mjs [--software-webgpu] [--steps 60] [--json FILE]
//
// It needs Chromium (see tooling/chromium.ts). Each run trains on the bundled proteins in a page of its own. The clock
// runs from the click to "Finished", with the compilation and all evaluations. --json writes the rows to a file, beside
// the rows of the other device that it holds.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { browser, site } from "../apps/demo/test/browser.ts";
import { chromiumPath, NO_CHROMIUM } from "./chromium.ts";

const { values: options } = parseArgs({
  options: {
    "software-webgpu": { type: "boolean", default: false },
    steps: { type: "string", default: "60" },
    json: { type: "string" },
  },
});
const webgpu = options["software-webgpu"];
const device = webgpu ? "WebGPU on SwiftShader" : "WebAssembly";
const measured = [];
const SIZES = [
  { size: "tiny", length: 64, rows: 8 },
  { size: "tiny", length: 128, rows: 16 },
  { size: "small", length: 64, rows: 8 },
  { size: "small", length: 128, rows: 16 },
];

const path = chromiumPath();
if (path === undefined) throw new Error(NO_CHROMIUM);
const pages = await site();
for (const { size, length, rows } of SIZES) {
  const opened = await browser(path, pages, { webgpu });
  const page = await opened.open(webgpu ? "?device=webgpu" : "");
  const says = (selector, text) =>
    page.waitForFunction(
      `document.querySelector(${JSON.stringify(selector)})?.textContent.includes(${JSON.stringify(text)})`,
      undefined,
      { timeout: 600_000 },
    );
  await page.click("text=Use the sample");
  await says(".phase", "Ready");
  await page.click(".fields summary");
  await page.selectOption("#protein-size", size);
  for (const [name, value] of Object.entries({ steps: options.steps, length, rows }))
    await page.fill(`#protein-${name}`, String(value));
  await page.locator(`#protein-rows`).blur();
  await page.waitForTimeout(1000);
  await says(".estimate", "about");
  const foretold = secondsIn(await page.textContent(".estimate"));
  const began = performance.now();
  await page.click("button.main");
  await says(".phase", "Finished");
  const seconds = (performance.now() - began) / 1000;
  const row = {
    device,
    size,
    length,
    rows,
    steps: Number(options.steps),
    foretoldSeconds: foretold,
    seconds: Number(seconds.toFixed(1)),
    ratio: Number((foretold / seconds).toFixed(2)),
  };
  measured.push(row);
  console.log(JSON.stringify(row));
  await opened.close();
}
pages.close();
if (options.json !== undefined) {
  const before = existsSync(options.json) ? JSON.parse(readFileSync(options.json, "utf8")).rows : [];
  const rows = [...before.filter((row) => row.device !== device), ...measured];
  const result = { bench: "demo-times", cpu: cpus()[0]?.model, threads: cpus().length, node: process.version, rows };
  writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
}

/** The seconds in words such as `about 1 min 20 s` or `about 4 s`. */
function secondsIn(text) {
  const said = text.slice(text.indexOf("about"));
  const part = (unit) => Number(new RegExp(`([\\d.]+) ?${unit}\\b`).exec(said)?.[1] ?? 0);
  return part("h") * 3600 + part("min") * 60 + part("s");
}
