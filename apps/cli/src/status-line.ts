/**
 * Progress of something with an end: on a terminal one line that is redrawn, in a pipe a plain line every ten seconds.
 *
 *     [=========>            ]   42%  uniref50.fasta.gz  12,300 sequences
 *
 * ASCII and no escape codes, so that NO_COLOR and dumb terminals see the same. For training see the trainer's own
 * progress.
 */
import type { OutputStream } from "./io.ts";

export interface Status {
  /** `fraction` 0 to 1. Cheap: call it as often as one likes. */
  update(fraction: number, text: string): void;
  /** Clears the line; what comes next begins at the margin. */
  finish(): void;
}

const BAR = 24;

export function statusLine(stream: OutputStream, now: () => number = () => performance.now() / 1000): Status {
  const pause = stream.isTTY === true ? 0.1 : 10;
  let shownAt = stream.isTTY === true ? -Infinity : now();
  let drawn = 0;
  return {
    update(fraction, text) {
      if (now() - shownAt < pause) return;
      shownAt = now();
      const done = Math.min(1, Math.max(0, fraction));
      const percent = `${Math.floor(done * 100)}%`;
      if (stream.isTTY !== true) return void stream.write(`${percent}  ${text}\n`);
      // One column less than there are: a character in the last one wraps on some terminals.
      const columns = Math.max(1, (stream.columns ?? 80) - 1);
      const full = Math.floor(done * BAR);
      const bar = `[${(full < BAR ? `${"=".repeat(full)}>` : "=".repeat(BAR)).padEnd(BAR)}]  `;
      const rest = `${percent.padStart(4)}  ${text}`;
      const line = (bar.length + rest.length <= columns ? bar + rest : rest).slice(0, columns);
      stream.write(`\r${line.padEnd(Math.min(drawn, columns))}`);
      drawn = line.length;
    },
    finish() {
      if (drawn > 0) stream.write(`\r${" ".repeat(drawn)}\r`);
      drawn = 0;
    },
  };
}
