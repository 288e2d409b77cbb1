/**
 * Inputs that can be read once: a FIFO, `<(zcat a.gz)`, /dev/stdin, standard input. Their first bytes can be looked at
 * before they are read, to tell the format. A second reading is an error, never an empty file.
 */
import { ConfigError } from "@cloze/errors";
import { decompressed, type ReadChunksOptions } from "./read-chunks.ts";

/** The name of standard input on a command line. */
export const STDIN_NAME = "-";

export class Pipe {
  /** Name for messages. */
  readonly name: string;
  readonly #open: () => AsyncIterable<Uint8Array>;
  #head: Uint8Array[] = [];
  #chunks: AsyncGenerator<Uint8Array, void, undefined> | undefined;
  #bytesRead = 0;
  #isRead = false;

  /** `open` gives the bytes, plain or gzip. It is called when the first bytes are needed. */
  constructor(name: string, open: () => AsyncIterable<Uint8Array>) {
    this.name = name;
    this.#open = open;
  }

  /**
   * The text's first bytes, decompressed: as many as `isEnough` asks for, or all. They are not used up: `read` gives
   * them again.
   */
  async head(isEnough: (bytes: Uint8Array) => boolean): Promise<Uint8Array> {
    const chunks = this.#started();
    let head: Uint8Array = Buffer.concat(this.#head);
    while (!isEnough(head)) {
      const next = await chunks.next();
      if (next.done === true) break;
      this.#head.push(new Uint8Array(next.value));
      head = Buffer.concat(this.#head);
    }
    return head;
  }

  /** All chunks, decompressed. Throws ConfigError if they were read before. */
  async *read({ onRead }: ReadChunksOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#isRead)
      throw new ConfigError(
        `${this.name}: expected a file, which can be read again, got a pipe, which is gone once it is read. Save it ` +
          "to a file first, and name the file.",
      );
    this.#isRead = true;
    const chunks = this.#started();
    const head = this.#head;
    this.#head = [];
    try {
      for (const chunk of head) yield chunk;
      for await (const chunk of chunks) {
        onRead?.(this.#bytesRead);
        yield chunk;
      }
    } finally {
      await chunks.return();
    }
  }

  #started(): AsyncGenerator<Uint8Array, void, undefined> {
    return (this.#chunks ??= decompressed(this.#open(), {
      file: this.name,
      again: undefined,
      onRead: (bytes) => {
        this.#bytesRead = bytes;
      },
    }));
  }
}
