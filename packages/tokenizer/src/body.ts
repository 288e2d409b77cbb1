/** The body: tokens of one text, without special tokens. Its arrays grow and serve the next text again. */
import { IssueCounter } from "./issue-counter.ts";

export class Body {
  count = 0;
  /** Number of words so far, which is the number of the next word. */
  words = 0;
  ids: Int32Array = new Int32Array(256);
  from: Int32Array = new Int32Array(256);
  to: Int32Array = new Int32Array(256);
  /** For each token the number of its word. */
  wordOf: Int32Array = new Int32Array(256);
  readonly issues: IssueCounter = new IssueCounter();
  /** True where `issues` is not empty. */
  troubled = false;

  reset(): void {
    this.count = 0;
    this.words = 0;
    if (this.troubled) this.issues.reset();
    this.troubled = false;
  }

  /** Makes room for `more` tokens. */
  reserve(more: number): void {
    const needed = this.count + more;
    if (needed <= this.ids.length) return;
    const length = Math.max(needed, 2 * this.ids.length);
    this.ids = grown(this.ids, length);
    this.from = grown(this.from, length);
    this.to = grown(this.to, length);
    this.wordOf = grown(this.wordOf, length);
  }

  push(id: number, from: number, to: number, word: number): void {
    this.reserve(1);
    const at = this.count++;
    this.ids[at] = id;
    this.from[at] = from;
    this.to[at] = to;
    this.wordOf[at] = word;
  }
}

export function grown(from: Int32Array, length: number): Int32Array {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}
