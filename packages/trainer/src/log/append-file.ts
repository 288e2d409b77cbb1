/**
 * A file that records are appended to whole, and that is on the disk after `flush`: what both logs of a run are written
 * through.
 */
import { closeSync, fsyncSync, writeSync } from "node:fs";
import { ConfigError } from "@cloze/errors";

export class AppendFile {
  #file: number | undefined;
  readonly #closed: string;

  /** Takes over an open file. `closed` is the message for whoever writes after `close`. */
  constructor(file: number, closed: string) {
    this.#file = file;
    this.#closed = closed;
  }

  /** A full disk leaves part of a record. Nothing may follow it: the file is closed then, and the error passed on. */
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

  /** Flushes and closes; once is enough. */
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
