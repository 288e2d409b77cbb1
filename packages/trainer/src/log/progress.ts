/**
 * The progress display of a run in the terminal. A TTY shows one line, which is drawn again in place and never wraps. A
 * pipe or a log file gets plain lines: every 10 s at first, and less often as the run becomes longer, so that the log
 * of a week stays readable.
 *
 *     [=========>            ]   42%  step 4,200/10,000  loss 2.413  51.2k tok/s  ETA 3m 12s
 *
 * The output is ASCII without colours or escape codes, so it looks the same in every terminal. A redraw is a carriage
 * return plus padding.
 */
import { formatCount, formatDuration, formatInteger, formatValue } from "./human-format.ts";

export interface ProgressState {
  readonly step: number;
  /** The last step of the run. Undefined with a time budget. */
  readonly steps?: number;
  /** The fraction of the run that is done, 0 to 1. Default: step / steps. */
  readonly fraction?: number;
  readonly loss?: number;
  readonly tokensPerSecond?: number;
  /** Seconds until the end of the run. */
  readonly remaining?: number;
}

/** The members of `process.stderr` that a writer needs. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** The time in seconds, from any monotonic clock; for tests. */
  readonly now?: () => number;
}

const barWidth = { min: 8, max: 28 } as const;
const gap = "  ";

/**
 * One line of at most `columns` characters. A narrow line leaves out, in this order: the bar, tokens/s, the remaining
 * time, the loss, the percentage. The step always stays.
 *
 * @example
 * formatProgress({ step: 5, steps: 10, loss: 2.5, remaining: 61 }, 60)
 * // => [========>        ]   50%  step 5/10  loss 2.500  ETA 1m 01s
 */
export function formatProgress(state: ProgressState, columns: number): string {
  const fraction = fractionOf(state);
  const { percent, step, loss, speed, eta } = pieces(state, fraction);
  const byRoom = [
    [percent, step, loss, speed, eta],
    [percent, step, loss, eta],
    [percent, step, loss],
    [percent, step],
    [step],
  ];
  const line = byRoom
    .map((parts) => parts.filter((part) => part !== "").join(gap))
    .find((text) => text.length <= columns);
  if (line === undefined) return step.slice(0, Math.max(0, columns));
  const room = columns - line.length - gap.length - 2;
  if (fraction === undefined || room < barWidth.min) return line;
  return `[${bar(fraction, Math.min(room, barWidth.max))}]${gap}${line}`;
}

/** Draws the progress on a stream. Call `update` at any rate, `print` for a message in between, `finish` at the end. */
export class ProgressWriter {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  #state: ProgressState | undefined;
  #started: number | undefined;
  /** The time and the state of the last drawing. */
  #shownAt = -Infinity;
  #shown: ProgressState | undefined;
  /** Number of characters on the current line. */
  #drawn = 0;

  constructor(stream: ProgressStream, options: ProgressOptions = {}) {
    this.#stream = stream;
    this.#now = options.now ?? ((): number => performance.now() / 1000);
  }

  update(state: ProgressState): void {
    this.#state = state;
    const now = this.#now();
    const elapsed = now - (this.#started ??= now);
    const pause = this.#stream.isTTY ? 0.1 : Math.max(10, elapsed / 20);
    if (now - this.#shownAt >= pause) this.#show(state, now);
  }

  /** Prints a whole line above the progress: a warning, an evaluation, a saved checkpoint. */
  print(line: string): void {
    if (!this.#stream.isTTY) return void this.#stream.write(`${line}\n`);
    this.#stream.write(`\r${line.padEnd(this.#drawn)}\n`);
    this.#drawn = 0;
    if (this.#state !== undefined) this.#show(this.#state, this.#now());
  }

  /** Shows the last state if it is not visible yet, and ends the line. */
  finish(): void {
    if (this.#state !== undefined && this.#shown !== this.#state) this.#show(this.#state, this.#now());
    if (this.#drawn > 0) this.#stream.write("\n");
    this.#drawn = 0;
    this.#state = undefined;
  }

  #show(state: ProgressState, now: number): void {
    this.#shownAt = now;
    this.#shown = state;
    if (!this.#stream.isTTY) {
      const { step, percent, loss, speed, eta } = pieces(state, fractionOf(state));
      this.#stream.write(`${[step, percent.trim(), loss, speed, eta].filter((part) => part !== "").join(gap)}\n`);
      return;
    }
    // The last column stays empty: on some terminals a character there wraps the line.
    const columns = Math.max(1, (this.#stream.columns ?? 80) - 1);
    const line = formatProgress(state, columns);
    this.#stream.write(`\r${line.padEnd(Math.min(this.#drawn, columns))}`);
    this.#drawn = line.length;
  }
}

function fractionOf({ step, steps, fraction }: ProgressState): number | undefined {
  const done = fraction ?? (steps === undefined || steps <= 0 ? undefined : step / steps);
  return done === undefined || Number.isNaN(done) ? undefined : Math.min(1, Math.max(0, done));
}

function pieces(
  state: ProgressState,
  fraction: number | undefined,
): Readonly<Record<"percent" | "step" | "loss" | "speed" | "eta", string>> {
  const { step, steps, loss, tokensPerSecond, remaining } = state;
  return {
    // Rounded down, so that 100% appears only when the run is done.
    percent: fraction === undefined ? "" : `${Math.floor(fraction * 100 + 1e-9)}%`.padStart(4),
    step: `step ${formatInteger(step)}${steps === undefined ? "" : `/${formatInteger(steps)}`}`,
    loss: loss === undefined ? "" : `loss ${formatValue(loss)}`,
    speed: tokensPerSecond === undefined ? "" : `${formatCount(tokensPerSecond)} tok/s`,
    eta: remaining === undefined ? "" : `ETA ${formatDuration(remaining)}`,
  };
}

function bar(fraction: number, width: number): string {
  const full = Math.floor(fraction * width);
  return full >= width ? "=".repeat(width) : `${"=".repeat(full)}>`.padEnd(width);
}
