/**
 * A fake Hub: the API of models, `resolve` with redirects to a CDN of another origin for files in LFS, range requests,
 * and faults that a test asks for.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { HubOptions } from "../src/index.ts";

export const commit: string = "0123456789abcdef0123456789abcdef01234567";

export interface FakeFile {
  readonly bytes: Uint8Array;
  /** True for a file in LFS: the CDN serves it, and its checksum is SHA-256. */
  readonly lfs?: boolean;
}

export interface Seen {
  readonly url: string;
  readonly host: "hub" | "cdn";
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export interface FakeHub {
  readonly options: HubOptions;
  readonly cacheDir: string;
  readonly seen: Seen[];
  /** Faults, each for one request of a file. When the list is empty, files are served as they should be. */
  readonly faults: Fault[];
  /** Changes the API's list of files, where a test wants a false list. */
  listing: (entries: Record<string, unknown>[]) => unknown[];
  /** The answer to every request of the hub server, where set. */
  refusal: { readonly status: number; readonly code?: string; readonly message?: string } | undefined;
  stop(): Promise<void>;
}

export type Fault =
  | { readonly kind: "drop"; readonly afterBytes: number }
  | { readonly kind: "hang"; readonly afterBytes: number }
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "ignore-range" }
  | { readonly kind: "slow"; readonly ms: number }
  | { readonly kind: "other-bytes" };

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const gitOid = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
export const etagOf = ({ bytes, lfs }: FakeFile): string => (lfs === true ? sha256(bytes) : gitOid(bytes));

export async function fakeHub(
  files: Readonly<Record<string, FakeFile>>,
  repo: string = "owner/tiny",
): Promise<FakeHub> {
  const cacheDir = mkdtempSync(join(tmpdir(), "cloze-hub-"));
  const seen: Seen[] = [];
  const faults: Fault[] = [];
  const cdn = await listen((request, response) => {
    note("cdn", request);
    const found = Object.values(files).find((file) => request.url === `/${sha256(file.bytes)}`);
    return found === undefined
      ? void response.writeHead(404).end()
      : serve(found.bytes, request, response, faults.shift());
  });
  const hub = await listen((request, response) => {
    note("hub", request);
    const url = new URL(request.url ?? "", "http://hub");
    const path = decodeURIComponent(url.pathname);
    const json = (value: unknown): void => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    const { refusal } = state;
    if (refusal !== undefined) {
      return void response
        .writeHead(refusal.status, {
          ...(refusal.code && { "x-error-code": refusal.code }),
          ...(refusal.message && { "x-error-message": refusal.message }),
          "content-type": "application/json",
        })
        .end(JSON.stringify({ error: refusal.message }));
    }
    if (path.startsWith(`/api/models/${repo}/revision/`)) {
      const revision = path.slice(`/api/models/${repo}/revision/`.length);
      if (!["main", "v1", commit].includes(revision))
        return void response.writeHead(404, { "x-error-code": "RevisionNotFound" }).end();
      return json({
        _id: "1",
        id: repo,
        private: false,
        downloads: 0,
        gated: false,
        likes: 0,
        lastModified: "2024-01-01T00:00:00Z",
        sha: commit,
      });
    }
    if (path === `/api/models/${repo}/tree/${commit}`) {
      return json(
        state.listing(
          Object.entries(files).map(([name, file]) => ({
            type: "file",
            path: name,
            size: file.bytes.length,
            oid: gitOid(file.bytes),
            ...(file.lfs === true && { lfs: { oid: sha256(file.bytes), size: file.bytes.length, pointerSize: 134 } }),
          })),
        ),
      );
    }
    const found = path.startsWith(`/${repo}/resolve/${commit}/`)
      ? files[path.slice(`/${repo}/resolve/${commit}/`.length)]
      : undefined;
    if (found === undefined)
      return void response
        .writeHead(404, { "x-error-code": path.startsWith(`/${repo}/`) ? "EntryNotFound" : "RepoNotFound" })
        .end();
    if (found.lfs === true)
      return void response
        .writeHead(302, {
          location: `${cdn.origin}/${sha256(found.bytes)}`,
          "x-linked-etag": `"${sha256(found.bytes)}"`,
          "x-repo-commit": commit,
        })
        .end();
    return serve(found.bytes, request, response, faults.shift());
  });
  const note = (host: Seen["host"], request: IncomingMessage): void => {
    seen.push({
      host,
      url: request.url ?? "",
      range: request.headers.range,
      authorization: request.headers.authorization,
    });
  };
  const state: FakeHub = {
    cacheDir,
    seen,
    faults,
    listing: (entries) => entries,
    refusal: undefined,
    options: { cacheDir, endpoint: hub.origin, token: undefined, offline: false, retryMs: 1, stallMs: 5000 },
    stop: async () => {
      await Promise.all(
        [hub, cdn].map(
          ({ server }) =>
            new Promise<void>((done) => {
              server.close(() => done());
              server.closeAllConnections();
            }),
        ),
      );
    },
  };
  onTestFinished(async () => {
    await state.stop();
    rmSync(cacheDir, { recursive: true, force: true });
  });
  return state;
}

async function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer(handle);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function serve(bytes: Uint8Array, request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): void {
  if (fault?.kind === "status") return void response.writeHead(fault.status, { "retry-after": "0" }).end();
  const from =
    fault?.kind === "ignore-range" ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const body = fault?.kind === "other-bytes" ? bytes.slice(from).fill(0x41) : bytes.subarray(from);
  const partial = request.headers.range !== undefined && fault?.kind !== "ignore-range";
  response.writeHead(partial ? 206 : 200, {
    "content-length": body.length,
    ...(partial && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
  });
  if (fault?.kind === "drop")
    return void response.write(body.subarray(0, fault.afterBytes), () => setTimeout(() => response.destroy(), 20));
  if (fault?.kind === "hang") return void response.write(body.subarray(0, fault.afterBytes));
  if (fault?.kind === "slow") return void setTimeout(() => response.end(body), fault.ms);
  response.end(body);
}
