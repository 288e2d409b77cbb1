/**
 * The whole page, in Chromium with WebGPU on SwiftShader: train, pause, save, reload, resume with the same losses, mask
 * a residue, download. The command line finds the same loss in the downloaded checkpoint, and its own training has the
 * same losses. At the end the GPU is lost.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main, type Io } from "cloze";
import type { Page } from "playwright-core";
import { parseMetricsText, type TrainerRow } from "../src/run-files.ts";
import { readZip } from "../src/zip.ts";
import { chromiumPath, NO_CHROMIUM } from "../../../tooling/chromium.ts";
import { browser, site, type Browser, type Site } from "./browser.ts";
import { firstLoad } from "./first-load.ts";
import { seriousFindings } from "./axe.ts";

const path = chromiumPath();
const STEPS = 30;
const LENGTH = 32;
const ROWS = 8;
const LIMIT_BYTES = 300_000;

describe.sequential("the page with WebGPU", () => {
  let pages: Site;
  let opened: Browser | undefined;
  let fasta = "";
  beforeAll(async () => {
    if (path === undefined) return;
    pages = await site();
    opened = await browser(path, pages);
    fasta = join(pages.folder, "short.fasta");
    writeFileSync(fasta, shortProteins(200));
  }, 120_000);
  afterAll(async () => {
    await opened?.close();
    if (opened !== undefined) pages.close();
  }, 60_000);

  it("is small before anything is asked for", (context) => {
    // allow skip: no browser on this machine; in CI that is a failure
    if (opened === undefined) return context.skip(NO_CHROMIUM);
    const { files, gzipBytes } = firstLoad(pages.folder);
    console.log(`first load: ${files.length} files, ${(gzipBytes / 1000).toFixed(0)} kB gzip`);
    expect(gzipBytes).toBeLessThan(LIMIT_BYTES);
  });

  it("trains, saves, goes on after a reload with the same losses, and gives a checkpoint that the command line opens", async (context) => {
    if (opened === undefined) return context.skip(NO_CHROMIUM); // allow skip: as above
    const page = await opened.open("?device=webgpu");
    await says(page, ".device", "Computes on WebGPU");
    await page.setInputFiles("#protein-file", fasta);
    await says(page, ".data-summary", "held out");
    await says(page, ".estimate", "parameters");
    await page.fill("#protein-steps", String(STEPS));
    await page.click(".fields summary");
    await page.fill("#protein-length", String(LENGTH));
    await page.fill("#protein-rows", String(ROWS));
    await page.click("button.main");
    await page.waitForFunction(
      "/^([5-9]|[12]\\d) of/.test(document.querySelector('.stats dd').textContent)",
      undefined,
      { timeout: 240_000 },
    );
    await page.click("button.main");
    await says(page, ".phase", "Paused");
    await page.click("text=Save in this browser");
    await says(page, ".saved li:not(.automatic)", "step");
    const savedAt = Number(/step (\d+)/.exec((await page.textContent(".saved li:not(.automatic)")) ?? "")?.[1]);
    await page.click("button.main");
    await says(page, ".phase", "Finished", 240_000);
    const first = await downloaded(page);
    const rows = rowsOf(first);
    const losses = rows.filter(({ type }) => type === "train").map(({ loss }) => loss);
    expect(losses).toHaveLength(STEPS);
    expect(losses[0]).toBeCloseTo(Math.log(33), 4);
    expect(mean(losses.slice(-5))).toBeLessThan((losses[0] as number) - 0.3);

    const residue = page.locator(".residues button").nth(6);
    await residue.click();
    await page.waitForSelector(".bars li");
    expect(await page.textContent(".distribution strong")).toBe(await residue.textContent());
    await page.waitForFunction("document.querySelector('.maps canvas').width > 1");

    await page.reload();
    await says(page, ".device", "Computes on WebGPU");
    // The page opens the run as it was: finished. Then the visitor takes the earlier save.
    await says(page, ".phase", "Finished", 240_000);
    await page.click(".saved li:not(.automatic) button >> text=Load");
    await says(page, ".phase", "Paused", 240_000);
    expect(await page.textContent(".stats dd")).toBe(`${savedAt} of ${STEPS}`);
    await page.click("button.main");
    await says(page, ".phase", "Finished", 240_000);
    const second = await downloaded(page);
    expect(untimed(rowsOf(second))).toEqual(untimed(rows));
    expect(second["model.safetensors"]).toEqual(first["model.safetensors"]);

    const folder = join(pages.folder, "downloaded");
    mkdirSync(folder);
    for (const [name, bytes] of Object.entries(second)) writeFileSync(join(folder, name), bytes);
    const told = await cloze(
      folder,
      "evaluate",
      "--checkpoint",
      folder,
      "--data",
      fasta,
      "--split",
      "valid",
      "--max-length",
      String(LENGTH),
      "--backend",
      "reference",
    );
    const held = rows.findLast(({ type }) => type === "eval");
    expect(held).toMatchObject({ step: STEPS });
    expect(Math.abs(Number(told["loss"]) - (held as TrainerRow).loss)).toBeLessThan(1e-4);

    // The command line does the same run, on another engine.
    const run = join(folder, "run");
    await cloze(
      folder,
      "pretrain",
      "--model",
      join(folder, "config.json"),
      "--data",
      fasta,
      "--out",
      run,
      "--steps",
      String(STEPS),
      "--batch-tokens",
      String(ROWS * LENGTH),
      "--max-length",
      String(LENGTH),
      "--lr",
      "3e-3",
      "--warmup",
      "0.05",
      "--save-every",
      "0",
      "--eval-every",
      "25",
      "--backend",
      "onnxruntime",
      "--threads",
      "1",
    );
    const theirs = parseMetricsText(readFileSync(join(run, "metrics.jsonl"), "utf8"));
    expect(theirs.map(({ type, step, tokens }) => ({ type, step, tokens }))).toEqual(
      rows.map(({ type, step, tokens }) => ({ type, step, tokens })),
    );
    for (const [i, { loss }] of theirs.entries())
      expect(Math.abs(loss - (rows[i] as TrainerRow).loss)).toBeLessThan(1e-3);
    expect(await seriousFindings(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await seriousFindings(page)).toEqual([]);

    await page.fill("#protein-steps", "100000");
    await page.click("button.main");
    await says(page, ".phase", "Training", 240_000);
    await page.waitForFunction("/^[1-9]/.test(document.querySelector('.stats dd').textContent)");
    await crashGpu(page);
    expect(await page.textContent(".notice strong")).toBe("The GPU was lost");
    expect(await page.textContent("button.main")).toBe("Train anew");
    expect(opened.problems).toEqual([]);
    expect([...opened.hosts]).toEqual([new URL(pages.url).host]); // nothing leaves the machine
    await page.close();
  }, 900_000);
});

/**
 * Crashes the GPU process, which for the page is like a driver reset, and waits for the page to say so. The protocol's
 * types allow this command only for a browser's session. A busy browser may lose the command: then it is sent again.
 */
async function crashGpu(page: Page): Promise<void> {
  const session: { readonly send: (method: never) => Promise<unknown> } = await page.context().newCDPSession(page);
  for (let left = 3; ; left--) {
    await session.send("Browser.crashGpuProcess" as never).catch(() => {}); // The crash may lose the answer.
    const said = page.waitForSelector(".notice:not([hidden])", { timeout: 60_000 });
    if (
      await said.then(
        () => true,
        (error: unknown) => left === 1 && Promise.reject(error),
      )
    )
      return;
  }
}

/** The first short proteins of the bundled sample. */
function shortProteins(count: number): string {
  const sample = join(
    createRequire(import.meta.url).resolve("cloze/package.json"),
    "..",
    "sample",
    "uniprot-sample.fasta.gz",
  );
  const records = gunzipSync(readFileSync(sample)).toString("latin1").split(/^>/m).slice(1);
  return records
    .filter((record) => record.split("\n").slice(1).join("").length <= 90)
    .slice(0, count)
    .map((record) => `>${record}`)
    .join("");
}

const says = async (page: Page, selector: string, text: string, timeout = 60_000): Promise<void> => {
  await page.waitForFunction(
    `document.querySelector(${JSON.stringify(selector)})?.textContent.includes(${JSON.stringify(text)}) || ` +
      `!document.querySelector(".notice").hidden`,
    undefined,
    { timeout },
  );
  const said = (await page.textContent(selector)) ?? "";
  if (!said.includes(text))
    throw new Error(
      `${selector}: expected "${text}", got "${said}". The page says: ${await page.textContent(".notice")}`,
    );
};

async function downloaded(page: Page): Promise<Readonly<Record<string, Uint8Array>>> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download as .zip")]);
  return readZip(Uint8Array.from(readFileSync(await download.path())));
}

const rowsOf = (files: Readonly<Record<string, Uint8Array>>): readonly TrainerRow[] =>
  parseMetricsText(new TextDecoder().decode(files["metrics.jsonl"]));
const untimed = (rows: readonly TrainerRow[]): readonly object[] => rows.map((row) => ({ ...row, time: undefined }));
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Runs a command with --json and returns its output. */
async function cloze(cwd: string, ...words: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  let out = "";
  let err = "";
  const io: Io = {
    stdout: {
      write: (text) => {
        out += text;
      },
    },
    stderr: {
      write: (text) => {
        err += text;
      },
    },
    stdin: (async function* () {})(),
    cwd,
    env: { HF_HUB_OFFLINE: "1", HF_HOME: "/nonexistent" },
    outputClosed: () => false,
  };
  const code = await main([...words, "--json"], io);
  if (code !== 0) throw new Error(err);
  return JSON.parse(out.trimEnd().split("\n").at(-1) ?? "") as Readonly<Record<string, unknown>>;
}
