/**
 * An append-only file of whole records, which are on the disk after `flush`. Both logs of a run write through this
 * file.
 */
import { closeSync, fsyncSync, writeSync } from "node:fs";
import { ConfigError } from "@cloze/errors";

export class AppendFile {
  #file: number | undefined;
  readonly #closed: string;

  /** Takes over an open file. `closed`: the error message for a write after `close`. */
  constructor(file: number, closed: string) {
    this.#file = file;
    this.#closed = closed;
  }

  /**
   * Appends one record. A full disk can leave part of a record, and no record may follow that part. So `write` then
   * closes the file and passes the error on.
   */
  write(record: Uint8Array): void {
    const file = this.#open();
    try {
      for (let at = 0; at < record.length;) at += writeSync(file, record, at);
    } catch (error) {
      closeSync(file);
      this.#file = undefined;
      throw error;
    }
  }

  flush(): void {
    fsyncSync(this.#open());
  }

  /** Flushes and closes the file. A second call does nothing. */
  close(): void {
    if (this.#file === undefined) return;
    fsyncSync(this.#file);
    closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): number {
    if (this.#file === undefined) throw new ConfigError(this.#closed);
    return this.#file;
  }
}
