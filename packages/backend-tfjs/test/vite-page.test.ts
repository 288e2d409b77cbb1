// WebAssembly in a page of Vite, served from sources and built: needs Chromium (CHROMIUM names another one).
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser } from "playwright-core";
import { build, createServer, preview, type InlineConfig } from "vite";
import { afterAll, beforeAll, expect, test, type TestContext } from "vitest";
import { chromiumPath, NO_CHROMIUM } from "../../../tooling/chromium.ts";

const path = chromiumPath();
const temp = mkdtempSync(join(tmpdir(), "cloze-vite-page-"));
const config: InlineConfig = {
  root: fileURLToPath(new URL("./page", import.meta.url)),
  configFile: false,
  logLevel: "error",
  cacheDir: join(temp, "cache"),
  resolve: { conditions: ["@cloze/source"] },
  build: { outDir: join(temp, "dist"), emptyOutDir: true, target: "esnext" },
  server: { port: 0, host: "127.0.0.1", fs: { strict: false } },
  preview: { port: 0, host: "127.0.0.1" },
};
let browser: Browser | undefined;

beforeAll(async () => {
  if (path === undefined) return;
  browser = await chromium.launch({ executablePath: path, headless: true, args: ["--no-sandbox"] });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  rmSync(temp, { recursive: true, force: true, maxRetries: 3 });
}, 60_000);

/** The title of the page once it says how the step ended. */
async function outcome(address: string, context: TestContext): Promise<string> {
  // allow skip: no browser on this machine
  if (browser === undefined) return context.skip(NO_CHROMIUM);
  const page = await browser.newPage();
  await page.goto(address);
  await page.waitForFunction('document.title !== "running"', undefined, { timeout: 60_000 });
  const title = await page.title();
  await page.close();
  return title;
}

const DONE = "CPU, TensorFlow.js with WebAssembly: 6";
const TOLD =
  /: backend tfjs:wasm: expected a WebAssembly file at tfjs-backend-wasm-simd\.wasm, got text\/html\. .*\?url/;

test("a page that is served from its sources", async (context) => {
  const server = await createServer(config);
  try {
    await server.listen();
    const address = server.resolvedUrls?.local[0] as string;
    expect(await outcome(address, context)).toBe(DONE);
    expect(await outcome(`${address}?plain`, context)).toMatch(TOLD);
  } finally {
    await server.close();
  }
}, 120_000);

test("a page that is built", async (context) => {
  await build(config);
  const server = await preview(config);
  try {
    const address = server.resolvedUrls?.local[0] as string;
    expect(await outcome(address, context)).toBe(DONE);
    expect(await outcome(`${address}?plain`, context)).toMatch(TOLD);
  } finally {
    await server.close();
  }
}, 120_000);
