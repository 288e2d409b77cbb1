/**
 * The page in headless Chromium, with WebGPU on SwiftShader or without WebGPU. It is built from the packages' sources
 * and served on localhost. Browsers count localhost as secure, and WebGPU needs a secure page.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { build } from "vite";

const COMMON = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const WEBGPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader"];
const NO_WEBGPU = ["--disable-features=WebGPU", "--disable-gpu"];

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".txt": "text/plain",
  ".json": "application/json",
};

export interface Site {
  readonly url: string;
  /** The folder with the built page. */
  readonly folder: string;
  readonly close: () => void;
}

/** Builds and serves the page. */
export async function site(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), "cloze-demo-"));
  process.env["CLOZE_SOURCE"] = "1";
  await build({
    configFile: fileURLToPath(new URL("../vite.config.ts", import.meta.url)),
    logLevel: "error",
    build: { outDir: folder, emptyOutDir: true },
  });
  const server = await serve(folder);
  return {
    folder,
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function serve(folder: string): Promise<Server> {
  const server = createServer(({ url = "/" }, response) => {
    const path = normalize(decodeURIComponent(new URL(url, "http://localhost").pathname));
    const file = join(folder, path === "/" ? "index.html" : path);
    if (!file.startsWith(folder) || !existsSync(file) || !statSync(file).isFile())
      return void response.writeHead(404).end();
    response
      .writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" })
      .end(readFileSync(file));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "localhost", resolve);
  });
  return server;
}

export interface Browser {
  readonly context: BrowserContext;
  /** Opens the page. `problems` collects the errors in its console. */
  readonly open: (query?: string) => Promise<Page>;
  readonly problems: string[];
  /** Hosts of all requests by the pages and their workers. */
  readonly hosts: ReadonlySet<string>;
  readonly close: () => Promise<void>;
}

export async function browser(
  executablePath: string,
  { url }: Pick<Site, "url">,
  {
    webgpu = true,
    dark = false,
    width = 1440,
  }: { readonly webgpu?: boolean; readonly dark?: boolean; readonly width?: number } = {},
): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "cloze-chromium-"));
  const problems: string[] = [];
  const hosts = new Set<string>();
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: [...COMMON, ...(webgpu ? WEBGPU : NO_WEBGPU)],
    viewport: { width, height: 900 },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  context.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== "blob:" && protocol !== "data:") hosts.add(host);
  });
  return {
    context,
    problems,
    hosts,
    open: async (query = "") => {
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text());
      });
      await page.goto(`${url}${query}`);
      return page;
    },
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
