/**
 * The counter of words in text files. It streams the files and counts on worker threads. Files may be of any size;
 * memory grows with the number of distinct words.
 *
 * The result depends only on the texts: the sum of the threads' counts has no order. Bytes that are not UTF-8 become
 * U+FFFD. These characters belong to no word, and the counter counts them.
 */
import { ConfigError } from "@cloze/errors";
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { FromCounter, ToCounter } from "./count-worker.ts";
import { textChunks, type TextStream } from "./text-chunks.ts";
import { WordCounter, type CountParts, type WordOptions } from "./word-counts.ts";

export interface CountProgress {
  readonly file: string;
  /** Bytes read so far, over all files. For gzip: compressed bytes, also in `bytesTotal`. */
  readonly bytesRead: number;
  readonly bytesTotal: number;
}

export interface CountOptions extends WordOptions {
  /**
   * Number of worker threads; 0 counts on the calling thread. Default: the number of processors minus 1, at most 8, and
   * 0 for less than 32 MB.
   */
  readonly workers?: number;
  readonly onProgress?: (progress: CountProgress) => void;
}

const WORTH_THREADS = 32e6;
/** Number of uncounted chunks from which a thread counts as busy. */
const AHEAD = 2;

/** Counts the words of all files, plain or gzip, and of streams of text. */
export async function countFiles(
  files: readonly (string | TextStream)[],
  options: CountOptions = {},
): Promise<WordCounter> {
  const { onProgress, workers, ...words } = options;
  const sizes = files.map(sizeOf);
  const bytesTotal = sizes.reduce((sum, n) => sum + n, 0);
  if (files.length === 0) throw new ConfigError("countFiles: expected at least one file, got none.");
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 0))
    throw new ConfigError(`countFiles: expected a number of workers of 0 or more, got ${workers}.`);
  const threads = workers ?? (bytesTotal < WORTH_THREADS ? 0 : Math.min(8, availableParallelism() - 1));
  const counter = new WordCounter(words);
  const pool = threads === 0 ? undefined : new CounterPool(threads, words);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  try {
    let before = 0;
    for (const [i, file] of files.entries()) {
      for await (const chunk of textChunks(file, (bytes) =>
        onProgress?.({ file: typeof file === "string" ? file : file.name, bytesRead: before + bytes, bytesTotal }),
      )) {
        if (pool === undefined) counter.add(decoder.decode(chunk));
        else await pool.count(chunk);
      }
      before += sizes[i] as number;
    }
    for (const parts of (await pool?.finish()) ?? []) counter.addParts(parts);
    return counter;
  } finally {
    await pool?.close();
  }
}

function sizeOf(file: string | TextStream): number {
  if (typeof file !== "string") return file.bytes;
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined)
    throw new ConfigError(`${file}: expected a file of text, found nothing there. Check the path.`);
  return found.size;
}

class CounterPool {
  readonly #threads: readonly CounterThread[];

  constructor(threads: number, options: WordOptions) {
    this.#threads = Array.from({ length: threads }, () => new CounterThread(options));
  }

  /** Sends the chunk to the thread with the fewest waiting chunks. Resolves when a thread can take another chunk. */
  async count(chunk: Uint8Array<ArrayBuffer>): Promise<void> {
    const [idlest] = this.#threads.toSorted((a, b) => a.waiting - b.waiting);
    idlest?.send({ chunk }, [chunk.buffer]);
    while (this.#threads.every((thread) => thread.waiting >= AHEAD))
      await Promise.race(this.#threads.map((thread) => thread.moved()));
  }

  finish(): Promise<readonly CountParts[]> {
    return Promise.all(this.#threads.map((thread) => thread.finish()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

class CounterThread {
  /** Number of chunks that the thread has not counted yet. */
  waiting = 0;
  readonly #worker: Worker;
  #parts: CountParts | undefined;
  #error: Error | undefined;
  #listeners: (() => void)[] = [];

  constructor(options: WordOptions) {
    this.#worker = openWorker(options);
    this.#worker.on("message", (message: FromCounter) => {
      if ("parts" in message) this.#parts = message.parts;
      else this.waiting--;
      this.#tell();
    });
    const fail = (error: Error): void => {
      this.#error ??= error;
      this.#tell();
    };
    this.#worker.on("error", fail);
    this.#worker.on("exit", (code) => {
      if (this.#parts === undefined)
        fail(new Error(`countFiles: a worker thread ended with exit code ${code} before it had counted.`));
    });
  }

  send(message: ToCounter, transfer: readonly ArrayBuffer[]): void {
    if ("chunk" in message) this.waiting++;
    this.#worker.postMessage(message, transfer);
  }

  /** Resolves at the next message of the thread. Rejects where the thread has failed. */
  moved(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => (this.#error === undefined ? resolve() : reject(this.#error));
      if (this.#error === undefined) this.#listeners.push(settle);
      else settle();
    });
  }

  async finish(): Promise<CountParts> {
    this.send({ finish: true }, []);
    while (this.#parts === undefined) await this.moved();
    return this.#parts;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #tell(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

/**
 * Starts the worker file beside this file. In the build it is JavaScript. In the workspace it is TypeScript, and the
 * thread registers tsx first.
 */
function openWorker(options: WordOptions): Worker {
  const here = import.meta.url;
  if (!here.endsWith(".ts")) return new Worker(new URL("./count-worker.js", here), { workerData: options });
  const tsx = new URL("./esm/api/index.mjs", pathToFileURL(createRequire(here).resolve("tsx"))).href;
  const worker = new URL("./count-worker.ts", here).href;
  const program =
    `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(worker)}); ` +
    "});";
  return new Worker(program, { eval: true, workerData: options, execArgv: ["--conditions=@cloze/source"] });
}
