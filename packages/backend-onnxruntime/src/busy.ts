/**
 * Busy: a flag in shared memory that says whether the worker is inside the engine. The main thread reads the flag
 * without an event loop.
 *
 * A worker that is stopped in the middle of a run aborts the whole process: the addon throws where no exception is
 * allowed. So nobody calls `worker.terminate()`, and a process that exits during a run waits for the end of the run.
 */
/** Bits of the flag. */
const RUNNING = 1;
const CLOSED = 2;

export class Busy {
  readonly #cell: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#cell = new Int32Array(buffer);
  }

  get buffer(): SharedArrayBuffer {
    return this.#cell.buffer;
  }

  /** For the worker: runs `work`. Where the process is about to end, runs nothing, and the promise never settles. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    if (Atomics.compareExchange(this.#cell, 0, 0, RUNNING) !== 0) return new Promise(() => undefined);
    try {
      return await work();
    } finally {
      Atomics.and(this.#cell, 0, ~RUNNING);
      Atomics.notify(this.#cell, 0);
    }
  }

  /** For the main thread, at exit: lets the current run end and allows no other run. */
  close(limitMs = 60_000): void {
    Atomics.or(this.#cell, 0, CLOSED);
    Atomics.wait(this.#cell, 0, RUNNING | CLOSED, limitMs);
  }
}
