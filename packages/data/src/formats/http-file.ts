/**
 * A file behind HTTP that is read by ranges: one request for the size, if the size is not known, and one request for
 * each range.
 *
 * A server that answers a range with the whole file is an error, so that no whole file is downloaded silently. A
 * request that fails for a temporary reason (no connection, 429, 5xx) is tried three times.
 */
import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import type { RangeReader } from "./parquet-rows.ts";

export type Fetch = (
  url: string,
  init?: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> },
) => Promise<Response>;

export interface HttpFileOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Size in bytes, where it is known. */
  readonly bytes?: number;
  /** Default: the platform's `fetch`. */
  readonly fetch?: Fetch;
  /** Called with the number of bytes received so far. */
  readonly onRead?: (bytes: number) => void;
}

export interface HttpFile extends RangeReader {
  /** The ETag, or the time of the last change; "" if the server was not asked, or tells neither. */
  readonly version: string;
}

/**
 * Opens a URL as a file. Throws ConfigError if the file is not there or not allowed, UnsupportedError if the server
 * cannot be reached or has no ranges.
 */
export async function httpFile(url: string, options: HttpFileOptions = {}): Promise<HttpFile> {
  const { headers = {}, onRead } = options;
  const ask: Fetch = options.fetch ?? fetch;
  const plain = { ...headers, "accept-encoding": "identity" };
  const { byteLength, version } =
    options.bytes === undefined ? await sizeOf(url, ask, plain) : { byteLength: options.bytes, version: "" };
  let read = 0;
  return {
    byteLength,
    version,
    async slice(start, end = byteLength) {
      if (end <= start) return new ArrayBuffer(0);
      const response = await request(ask, url, { headers: { ...plain, range: `bytes=${start}-${end - 1}` } });
      if (response.status !== 206) {
        await response.body?.cancel();
        throw noRanges(url);
      }
      const bytes = await response.arrayBuffer();
      if (bytes.byteLength !== end - start)
        throw new FormatError(
          url,
          `byte ${start}`,
          `expected ${end - start} bytes, got ${bytes.byteLength}: the file is shorter than it was said to be. ` +
            "Has it changed?",
        );
      read += bytes.byteLength;
      onRead?.(read);
      return bytes;
    },
  };
}

/**
 * The size of the file, from the answer to a request for one byte. The size in an answer to HEAD may be that of a
 * redirect, or of a compressed form.
 */
async function sizeOf(
  url: string,
  ask: Fetch,
  headers: Readonly<Record<string, string>>,
): Promise<Pick<HttpFile, "byteLength" | "version">> {
  const response = await request(ask, url, { headers: { ...headers, range: "bytes=0-0" } });
  const total = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  await response.body?.cancel();
  if (response.status !== 206 || total === undefined) throw noRanges(url);
  const version = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
  return { byteLength: Number(total), version };
}

const noRanges = (url: string): UnsupportedError =>
  new UnsupportedError(
    `${url}: expected a server that gives parts of a file (HTTP ranges), got one that does not. Download the ` +
      "file and give its path.",
  );

const TRIES = 3;
const FIRST_WAIT_MS = 200;

/** Sends a request and returns the answer if it is a success. Tries again after a temporary failure, else throws. */
export async function request(
  ask: Fetch,
  url: string,
  init: { readonly headers: Readonly<Record<string, string>> },
): Promise<Response> {
  for (let tried = 1; ; tried++) {
    let failed: string;
    let cause: unknown;
    try {
      const response = await ask(url, init);
      if (response.ok) return response;
      await response.body?.cancel();
      const { status } = response;
      if (status === 401 || status === 403)
        throw new ConfigError(
          `${url}: expected leave to read it, got HTTP ${status}. Is the name right? What is private or gated ` +
            "needs HF_TOKEN.",
        );
      if (status === 404 || status === 410)
        throw new ConfigError(`${url}: expected a file, got HTTP ${status}: nothing there. Check the name.`);
      failed = `HTTP ${status}`;
      if (status !== 429 && status < 500) throw new ConfigError(`${url}: expected an answer, got ${failed}.`);
    } catch (error) {
      if (ConfigError.isInstance(error)) throw error;
      cause = error;
      failed = networkReason(error);
    }
    if (tried === TRIES)
      throw new UnsupportedError(
        `${url}: expected an answer, got ${failed}, ${TRIES} times. Try again later, or check the network.`,
        { cause },
      );
    await new Promise((resolve) => setTimeout(resolve, FIRST_WAIT_MS * 4 ** (tried - 1)));
  }
}

/** The reason of a network failure. `fetch` says "fetch failed" and keeps the reason in the error's `cause`. */
function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
