/**
 * Busy: a flag in shared memory by which the main thread learns, without an event loop, whether the worker is inside
 * the engine.
 *
 * A worker that is stopped in the middle of a run aborts the whole process: the addon throws where nothing may be
 * thrown. So nobody calls `worker.terminate()`, and a process that exits during a run waits for its end.
 */
/** Bits. */
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

  /** The worker's side: runs `work` unless the process is about to end. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    // While it is closed the worker waits for its end.
    if (Atomics.compareExchange(this.#cell, 0, 0, RUNNING) !== 0) return new Promise(() => undefined);
    try {
      return await work();
    } finally {
      Atomics.and(this.#cell, 0, ~RUNNING);
      Atomics.notify(this.#cell, 0);
    }
  }

  /** The main thread's side, at exit: lets a run end and allows no other. */
  close(limitMs = 60_000): void {
    Atomics.or(this.#cell, 0, CLOSED);
    Atomics.wait(this.#cell, 0, RUNNING | CLOSED, limitMs);
  }
}
