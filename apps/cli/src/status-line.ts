/**
 * The progress of work with an end. A terminal gets one line that is redrawn; a pipe gets a plain line every ten
 * seconds.
 *
 *     [=========>            ]   42%  uniref50.fasta.gz  12,300 sequences
 *
 * The line is ASCII without escape codes, so that it is the same with NO_COLOR and on dumb terminals. Training has the
 * trainer's own progress.
 */
import type { OutputStream } from "./io.ts";

export interface Status {
  /** Shows the progress; `fraction` is from 0 to 1. The call is cheap, so it may be frequent. */
  update(fraction: number, text: string): void;
  /** Clears the line. The next output begins at the margin. */
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
      // The last column stays free: a character there wraps the line on some terminals.
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
