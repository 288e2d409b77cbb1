/**
 * A writer of TensorBoard event files, without TensorFlow. `tensorboard --logdir runs` shows a run while it trains.
 *
 * Tags are paths, such as `train/loss` and `eval/loss`. TensorBoard groups charts by the text before the slash. Scalars
 * in this format are 32-bit floats; metrics.jsonl keeps the full numbers. A resumed run writes a new file. The first
 * event of this file tells TensorBoard to drop the steps that the run repeats.
 * Left out on purpose: histograms, images, graphs.
 */
import { existsSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@cloze/errors";
import { AppendFile } from "./append-file.ts";
import { encodeEvent, type EventBody } from "./event-proto.ts";
import { frameRecord } from "./tfrecord.ts";

export interface TensorBoardOptions {
  /** The step of the checkpoint from which the run continues. Later steps in earlier files become invalid. */
  readonly resumeAfter?: number;
  /** The time in seconds since 1970; for tests. */
  readonly now?: () => number;
}

/**
 * One event file in `folder`, named `events.out.tfevents.<unix>.<host>.<pid>.<n>`. Creates the folder if it is missing.
 *
 * @example
 * const board = new TensorBoardWriter("runs/demo");
 * board.scalars(10, { "train/loss": 2.4, "train/lr": 3e-4 });
 * board.close();
 */
export class TensorBoardWriter {
  readonly path: string;
  readonly #now: () => number;
  readonly #file: AppendFile;

  constructor(folder: string, options: TensorBoardOptions = {}) {
    this.#now = options.now ?? ((): number => Date.now() / 1000);
    mkdirSync(folder, { recursive: true });
    const opened = openNew(folder, Math.floor(this.#now()));
    this.path = opened.path;
    this.#file = new AppendFile(
      opened.file,
      `TensorBoardWriter: expected an open file, got ${this.path} after close. Make a new writer with resumeAfter.`,
    );
    this.#append(0, { fileVersion: "brain.Event:2" });
    // TensorBoard drops every earlier event whose step is at or past the step of a START.
    if (options.resumeAfter !== undefined) this.#append(options.resumeAfter + 1, { start: true });
  }

  scalar(tag: string, step: number, value: number): void {
    this.scalars(step, { [tag]: value });
  }

  /** Writes several scalars of one step, in one event. */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#append(step, { scalars: values });
  }

  /** Writes Markdown to TensorBoard's Text page: the config, a sample. */
  text(tag: string, step: number, text: string): void {
    this.#append(step, { tag, text });
  }

  flush(): void {
    this.#file.flush();
  }

  close(): void {
    this.#file.close();
  }

  #append(step: number, body: EventBody): void {
    if (!Number.isSafeInteger(step) || step < 0)
      throw new ConfigError(
        `TensorBoardWriter: expected a whole step >= 0, got ${step}. Count optimizer steps from 0.`,
      );
    this.#file.write(frameRecord(encodeEvent(this.#now(), step, body)));
  }
}

/**
 * The folder for the event files of a run: `tensorboard` in it. A run of an older version has its files in the run's
 * own folder, and goes on there, for TensorBoard joins only files of one folder.
 */
export function eventsFolder(run: string): string {
  const older = existsSync(run) && readdirSync(run).some((name) => name.startsWith("events.out.tfevents."));
  return older ? run : join(run, "tensorboard");
}

/** Opens a new file. Two writers of one process in the same second get different last numbers. */
function openNew(folder: string, unix: number): { readonly path: string; readonly file: number } {
  for (let n = 0; ; n++) {
    const path = join(folder, `events.out.tfevents.${unix}.${hostname()}.${process.pid}.${n}`);
    try {
      return { path, file: openSync(path, "wx") };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
