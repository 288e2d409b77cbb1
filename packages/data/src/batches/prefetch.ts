/**
 * Batches that worker threads prepare ahead of the device. They come in order, and are equal to the batches that
 * `batchAt` gives without workers.
 *
 * Each worker opens the same data from the recipe of the batches and makes every n-th step. At most `ahead` batches are
 * in preparation or waiting, so memory is bounded. An error in a worker is thrown by the `next()` of the step that
 * failed.
 */
import { ConfigError } from "@cloze/errors";
import type { TokenBatch } from "@cloze/tokenizer";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { BatchRecipe, Batches } from "./batches.ts";
import { unflatten, unflattenError, type FromWorker, type ToWorker } from "./worker-protocol.ts";

export interface PrefetchOptions {
  /** First step. Default 0. */
  readonly from?: number;
  /** Step after the last. Default: endless, or the count of padded batches. */
  readonly until?: number;
  /** The most batches in preparation or waiting. Default 4, at least one for each worker. */
  readonly ahead?: number;
  /** Worker threads. 0 prepares the batches on the calling thread. Default 1. */
  readonly workers?: number;
}

export interface Prefetcher extends AsyncIterable<TokenBatch> {
  /** The step of the batch that `next` will give. */
  readonly step: number;
  /** The next batch in order; undefined after the last. */
  next(): Promise<TokenBatch | undefined>;
  /** Stops the workers. Batches that were asked for and not taken are dropped. */
  close(): Promise<void>;
}

/**
 * @example
 * const queue = prefetch(batches, { from: resumedStep, ahead: 8, workers: 2 });
 * for await (const batch of queue) { … }   // leaving the loop closes the queue
 */
export function prefetch(batches: Batches & { readonly count?: number }, options: PrefetchOptions = {}): Prefetcher {
  const { from = 0, workers = 1, until = batches.count ?? Infinity } = options;
  const ahead = Math.max(options.ahead ?? 4, workers, 1);
  if (!Number.isSafeInteger(from) || from < 0)
    throw new ConfigError(`prefetch: expected from to be a step of 0 or more, got ${from}.`);
  if (!Number.isInteger(workers) || workers < 0)
    throw new ConfigError(`prefetch: expected a number of workers of 0 or more, got ${workers}.`);
  const pool = workers === 0 ? inline(batches) : threads(batches, workers);
  const waiting: Promise<TokenBatch>[] = [];
  let asked = from;
  let given = from;
  let closed = false;
  const fill = (): void => {
    for (; waiting.length < ahead && asked < until; asked++) {
      const batch = pool.make(asked);
      batch.catch(() => undefined); // the error is thrown again where the batch is awaited
      waiting.push(batch);
    }
  };
  fill();
  const next = async (): Promise<TokenBatch | undefined> => {
    if (closed)
      throw new ConfigError("prefetch: next() after close(). Open another queue from the step that is wanted.");
    const batch = waiting.shift();
    if (batch === undefined) return undefined;
    given++;
    fill();
    return batch;
  };
  const close = async (): Promise<void> => {
    closed = true;
    waiting.length = 0;
    await pool.close();
  };
  return {
    get step(): number {
      return given;
    },
    next,
    close,
    async *[Symbol.asyncIterator](): AsyncGenerator<TokenBatch, void, undefined> {
      try {
        for (let batch = await next(); batch !== undefined; batch = await next()) yield batch;
      } finally {
        await close();
      }
    },
  };
}

interface Pool {
  make(step: number): Promise<TokenBatch>;
  close(): Promise<void>;
}

function inline(batches: Batches): Pool {
  return { make: (step) => batches.batchAt(step), close: async () => undefined };
}

function threads(batches: Batches, count: number): Pool {
  const { recipe } = batches;
  if (recipe === undefined)
    throw new ConfigError(
      "prefetch: expected batches of a data set with a handle, which workers can open; this one has none. Use " +
        "workers: 0.",
    );
  const all = Array.from({ length: count }, () => startWorker(recipe));
  let turn = 0;
  return {
    make: (step) => (all[turn++ % count] as WorkerThread).make(step),
    close: async () => {
      await Promise.all(all.map((worker) => worker.close()));
    },
  };
}

type WorkerThread = Pool;

interface Pending {
  readonly resolve: (batch: TokenBatch) => void;
  readonly reject: (error: Error) => void;
}

function startWorker(recipe: BatchRecipe): WorkerThread {
  const worker = openWorker(recipe);
  const pending = new Map<number, Pending>();
  let dead: Error | undefined;
  const fail = (error: Error): void => {
    dead ??= error;
    for (const { reject } of pending.values()) reject(dead);
    pending.clear();
    worker.unref();
  };
  worker.on("message", (message: FromWorker) => {
    const waiting = pending.get(message.step);
    pending.delete(message.step);
    if (pending.size === 0) worker.unref();
    if ("error" in message) waiting?.reject(unflattenError(message.error));
    else waiting?.resolve(unflatten(message.batch));
  });
  worker.on("error", fail);
  worker.on("exit", (code) =>
    fail(new Error(`prefetch: a worker thread ended with exit code ${code} before its batches were made.`)),
  );
  return {
    make: (step) =>
      new Promise((resolve, reject) => {
        if (dead !== undefined) return reject(dead);
        pending.set(step, { resolve, reject });
        worker.ref(); // the thread keeps the program alive only while batches are pending
        worker.postMessage({ step } satisfies ToWorker);
      }),
    close: async () => {
      await worker.terminate();
    },
  };
}

/**
 * Starts the worker thread. Once built, its program is JavaScript beside this code, in `dist/`. In the workspace it is
 * TypeScript, one folder up, and goes through tsx. The thread itself has to register tsx: the `--import` form of tsx
 * does nothing in workers of Node 20.
 */
function openWorker(recipe: BatchRecipe): Worker {
  const here = import.meta.url;
  if (!here.endsWith(".ts")) return new Worker(new URL("./worker.js", here), { workerData: recipe });
  const tsx = new URL("./esm/api/index.mjs", pathToFileURL(createRequire(here).resolve("tsx"))).href;
  const worker = new URL("../worker.ts", here).href;
  const program =
    `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(worker)}); ` +
    "});";
  return new Worker(program, { eval: true, workerData: recipe, execArgv: ["--conditions=@cloze/source"] });
}
