/**
 * Headless Chromium with WebGPU on SwiftShader, a page that holds the backend, and a function that runs checks there.
 *
 * The page is bundled from sources and served from memory on localhost. Browsers treat localhost as secure, which
 * WebGPU requires.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { chromium, type BrowserContext } from "playwright-core";
import type { Verdict } from "./page.ts";

const FLAGS = [
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Page {
  readonly device: string;
  readonly run: (name: string) => Promise<Verdict>;
  readonly close: () => Promise<void>;
}

export async function openPage(executablePath: string): Promise<Page> {
  const server = await serve({
    "/": ["text/html", '<!doctype html><title>cloze</title><script type="module" src="/page.js"></script>'],
    "/page.js": ["text/javascript", await bundle()],
  });
  const profile = mkdtempSync(join(tmpdir(), "cloze-chromium-"));
  let context: BrowserContext | undefined;
  const close = async (): Promise<void> => {
    await context?.close();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args: FLAGS });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction("globalThis.cloze !== undefined", undefined, { timeout: 20_000 }).catch(() => {
      throw new Error(`the page did not load: ${problems.join("; ") || "no error told"}`);
    });
    const device = String(await page.evaluate("cloze.device()"));
    return {
      device,
      run: async (name) => (await page.evaluate(`cloze.run(${JSON.stringify(name)})`)) as Verdict,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Removes the import of vitest. Only the suite's testBackend needs it, and the page does not use testBackend. */
const withoutVitest: Plugin = {
  name: "without-vitest",
  setup: (b) => b.onResolve({ filter: /^vitest$/ }, () => ({ path: "vitest", external: true, sideEffects: false })),
};

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("page.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["@cloze/source"],
    plugins: [withoutVitest],
    sourcemap: "inline",
    logLevel: "silent",
  });
  return (outputFiles[0] as (typeof outputFiles)[number]).text;
}

async function serve(files: Readonly<Record<string, readonly [type: string, text: string]>>): Promise<Server> {
  const server = createServer(({ url = "/" }, response) => {
    const [type, text] = files[url] ?? ["text/plain", undefined];
    response.writeHead(text === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` }).end(text);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "localhost", resolve);
  });
  return server;
}
