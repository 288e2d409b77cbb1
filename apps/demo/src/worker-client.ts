/**
 * The page's client of the worker: requests with one answer each, progress of a request, and events of the run.
 */
import type { Autosave, Failure, FromWorker, RequestName, Requests, RunState, ToWorker } from "./protocol.ts";
import type { TrainerRow } from "./run-files.ts";

export class WorkerFailure extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(`${failure.title}. ${failure.text}`);
    this.failure = failure;
  }
}

export interface ClientEvents {
  readonly onRow: (row: TrainerRow) => void;
  readonly onState: (state: RunState) => void;
  readonly onAutosave: (autosave: Autosave) => void;
}

export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (share: number) => void;
  /** Buffers to transfer instead of to copy. */
  readonly transfer?: Transferable[];
}

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: WorkerFailure) => void;
  readonly onProgress: ((share: number) => void) | undefined;
}

const STOPPED: Failure = { title: "Stopped", text: "Nothing was changed.", stopped: true };

export class WorkerClient {
  readonly #events: ClientEvents;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker;
  #last = 0;

  constructor(events: ClientEvents) {
    this.#events = events;
    this.#worker = this.#open();
  }

  ask<N extends RequestName>(
    name: N,
    ask: Requests[N]["ask"],
    { signal, onProgress, transfer = [] }: AskOptions = {},
  ): Promise<Requests[N]["answer"]> {
    const id = ++this.#last;
    return new Promise<Requests[N]["answer"]>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: never) => void, reject, onProgress });
      signal?.addEventListener("abort", () => this.#post({ cancel: id }), { once: true });
      this.#post({ id, name, ask } as ToWorker, transfer);
    });
  }

  /** Ends the worker and all its work at once, and starts a new, empty worker. */
  restart(): void {
    this.#worker.terminate();
    this.#worker = this.#open();
    this.#rejectAll(STOPPED);
  }

  #open(): Worker {
    const worker = new Worker(new URL("./worker/worker.ts", import.meta.url), { type: "module", name: "cloze" });
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.#take(data));
    worker.addEventListener("error", (event) =>
      this.#rejectAll({
        title: "The worker has failed",
        text: `${event.message || "It could not be loaded."} Reload the page; what was saved is still there.`,
      }),
    );
    return worker;
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #take(message: FromWorker): void {
    if ("row" in message) return this.#events.onRow(message.row);
    if ("state" in message) return this.#events.onState(message.state);
    if ("autosave" in message) return this.#events.onAutosave(message.autosave);
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if ("progress" in message) return waiting.onProgress?.(message.progress);
    this.#waiting.delete(message.id);
    if ("failure" in message) waiting.reject(new WorkerFailure(message.failure));
    else waiting.resolve(message.answer as never);
  }

  #rejectAll(failure: Failure): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(new WorkerFailure(failure));
  }
}
