/**
 * Progress of a run in the terminal. On a TTY one line is redrawn in place and never wraps; in a pipe or a log file
 * there are plain lines, every 10 s at first and less often as the run grows long, so that a week of training is still
 * readable.
 *
 *     [=========>            ]   42%  step 4,200/10,000  loss 2.413  51.2k tok/s  ETA 3m 12s
 *
 * ASCII only, no colours and no escape codes (a redraw is a carriage return and padding): every terminal shows the
 * same.
 */
import { formatCount, formatDuration, formatInteger, formatValue } from "./human-format.ts";

export interface ProgressState {
  readonly step: number;
  /** The last step of the run; undefined where a time budget ends it. */
  readonly steps?: number;
  /** How much of the run is done, 0 to 1; step / steps unless given. */
  readonly fraction?: number;
  readonly loss?: number;
  readonly tokensPerSecond?: number;
  /** Seconds to go. */
  readonly remaining?: number;
}

/** What a writer needs of `process.stderr`. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** Seconds on any monotonic clock; for tests. */
  readonly now?: () => number;
}

const barWidth = { min: 8, max: 28 } as const;
const gap = "  ";

/**
 * One line of at most `columns` characters. As the room shrinks it loses the bar, then tokens/s, the time to go, the
 * loss and the percentage; the step stays to the last.
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

/** Draws states on a stream: `update` as often as one likes, `print` for a message in between, `finish` at the end. */
export class ProgressWriter {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  #state: ProgressState | undefined;
  #started: number | undefined;
  /** When and what was last shown. */
  #shownAt = -Infinity;
  #shown: ProgressState | undefined;
  /** How many characters of the current line are taken. */
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

  /** A whole line above the progress: a warning, an evaluation, a saved checkpoint. */
  print(line: string): void {
    if (!this.#stream.isTTY) return void this.#stream.write(`${line}\n`);
    this.#stream.write(`\r${line.padEnd(this.#drawn)}\n`);
    this.#drawn = 0;
    if (this.#state !== undefined) this.#show(this.#state, this.#now());
  }

  /** Shows the last state, if it was not shown, and ends the line. */
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
    // One column less than there are: a character in the last one wraps on some terminals.
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
    // Rounded down: 100% is said of what is done, and of nothing else.
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
