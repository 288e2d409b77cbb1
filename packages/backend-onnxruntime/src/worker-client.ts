/**
 * The main thread's client of the worker: one promise for each request. When a worker dies, all its promises reject.
 *
 * Without a pending request the worker does not keep the process alive.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { Busy } from "./busy.ts";
import { homeFolder } from "./home.ts";
import type { EngineOptions, Failure, Kind, Reply, Request, Requests, WorkerStart } from "./protocol.ts";
import { explain } from "./run-error.ts";

interface Pending {
  readonly doing: string;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

/** The words for each request in an error. */
const DOING: { readonly [K in Kind]: string } = {
  load: "build the program",
  unload: "free the program",
  start: "take the state",
  run: "run the program",
  read: "read the state",
  write: "write the state",
  end: "free the state",
};

export class WorkerClient {
  readonly #options: EngineOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #nextId = 0;
  /** The error of all further requests, once the worker has ended. */
  #ended: Error | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  request<K extends Kind>(
    kind: K,
    ask: Requests[K]["ask"],
    transfer: readonly ArrayBufferLike[] = [],
  ): Promise<Requests[K]["answer"]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const worker = (this.#worker ??= this.#start());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { doing: DOING[kind], resolve, reject });
      worker.ref();
      worker.postMessage({ id, kind, ask } as Request, transfer as ArrayBuffer[]);
    });
  }

  /** Ends the worker after its current run. Pending requests reject. */
  async end(): Promise<void> {
    this.#fail(new ConfigError("backend onnxruntime: it was disposed. Make a new one with backend()."));
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    worker.ref();
    worker.postMessage("end");
    await once(worker, "exit");
  }

  #start(): Worker {
    const busy = new Busy();
    const atExit = (): void => busy.close();
    const worker = openWorker({ options: this.#options, busyBuffer: busy.buffer });
    process.on("exit", atExit);
    worker.on("message", (reply: Reply) => this.#settle(reply));
    worker.on("error", (error) => this.#fail(crash(error.message, error)));
    worker.on("exit", (code) => {
      process.off("exit", atExit);
      this.#worker = undefined;
      this.#fail(crash(`exit code ${code}`));
    });
    worker.unref();
    return worker;
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker?.unref();
    if ("failure" in reply) pending.reject(explain(reply.failure as Failure, pending.doing));
    else pending.resolve(reply.answer as never);
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }
}

const crash = (why: string, cause?: unknown): Error =>
  new UnsupportedError(
    `backend onnxruntime: its worker ended unexpectedly (${why}); the state it held is lost. Start again from ` +
      "the last checkpoint; with less memory per step if it ran out.",
    { cause },
  );

/** Starts the built program, or in a checkout the source, through tsx. */
function openWorker(start: WorkerStart): Worker {
  const here: string | undefined = import.meta.url;
  if (here?.endsWith(".ts") !== true) return new Worker(join(homeFolder(), "dist", "worker.js"), { workerData: start });
  const tsx = new URL("./esm/api/index.mjs", pathToFileURL(createRequire(here).resolve("tsx"))).href;
  const worker = new URL("./worker.ts", here).href;
  const program =
    `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(worker)}); ` +
    "});";
  return new Worker(program, { eval: true, workerData: start, execArgv: ["--conditions=@cloze/source"] });
}
