/**
 * What takes time before there is an amount to measure: reading, counting, compiling. A terminal gets one line that is
 * redrawn, with the seconds that it has taken; a pipe gets nothing.
 *
 *     reading uniref50.fasta.gz  12 s
 *
 * ASCII without escape codes, as the status line.
 */
import type { TrainEvent } from "@cloze/trainer";
import type { OutputStream } from "./io.ts";

export interface WaitingLine {
  /** Shows what is being done now, instead of what was shown before. */
  say(text: string): void;
  /** Clears the line. The next output begins at the margin. */
  finish(): void;
}

/** Seconds after which the line says how long it takes. */
const PATIENCE = 2;

/** With `quiet` the line shows nothing. */
export function waitingLine(
  stream: OutputStream,
  quiet: boolean,
  now: () => number = () => performance.now() / 1000,
): WaitingLine {
  if (stream.isTTY !== true || quiet) return { say() {}, finish() {} };
  let shown = "";
  let began = 0;
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    const seconds = Math.floor(now() - began);
    // The last column stays free: a character there wraps the line on some terminals.
    const columns = Math.max(1, (stream.columns ?? 80) - 1);
    const time = seconds < PATIENCE ? "" : `  ${seconds} s`;
    const line = shown.slice(0, Math.max(0, columns - time.length)) + time;
    stream.write(`\r${line.padEnd(Math.min(drawn, columns))}`);
    drawn = line.length;
  };
  return {
    say(text) {
      shown = text;
      began = now();
      draw();
      timer ??= setInterval(draw, 1000).unref();
    },
    finish() {
      clearInterval(timer);
      timer = undefined;
      if (drawn > 0) stream.write(`\r${" ".repeat(drawn)}\r`);
      drawn = 0;
    },
  };
}

/** Runs `use` with a line that is cleared at its end, also by an error. */
export async function whileWaiting<T>(
  stream: OutputStream,
  quiet: boolean,
  use: (waiting: WaitingLine) => Promise<T>,
): Promise<T> {
  const waiting = waitingLine(stream, quiet);
  try {
    return await use(waiting);
  } finally {
    waiting.finish();
  }
}

/** A listener of a training that shows the wait for its first step, and then what `show` does. */
export const afterWaiting =
  (waiting: WaitingLine, show: (event: TrainEvent) => void): ((event: TrainEvent) => void) =>
  (event) => {
    if (event.kind === "compiled") waiting.say("computing the first step");
    else waiting.finish();
    show(event);
  };

/** The names of files for a line: `a.fasta`, or `a.fasta and 2 more`. */
export function namesInWords([first = "", ...more]: readonly string[]): string {
  const short = first.split(/[\\/]/).at(-1) ?? first;
  return more.length === 0 ? short : `${short} and ${more.length} more`;
}
