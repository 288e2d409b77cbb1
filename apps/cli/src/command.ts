/**
 * A command is a value: what it takes, as a table; examples; and a function from typed values to a result.
 *
 * Its name and summary stand in commands.ts, so that the list of commands can be shown without loading any of them.
 */
import type { OptionTable, Values } from "./options.ts";
import type { Io } from "./io.ts";
import type { Status } from "./status-line.ts";

export interface Example {
  /** What it does, in a few words. */
  readonly does: string;
  /** A command line, without `$`. */
  readonly line: string;
}

/** Words that are no options: texts, files. */
export interface ArgumentsSpec {
  /** As the usage line shows it: `FILE…`, `[TEXT…]`. */
  readonly name: string;
  readonly help: string;
  readonly min: number;
  readonly max: number;
}

export interface Result {
  /** What `--json` prints as the last line of stdout. */
  readonly json: Readonly<Record<string, unknown>>;
  /** What everybody else reads, printed at the end. */
  readonly text?: readonly string[];
  /** Default 0. Something other than success that is no error: a doctor who found something. */
  readonly exitCode?: number;
}

export interface Context<O extends OptionTable = OptionTable> {
  readonly options: Values<O>;
  readonly args: readonly string[];
  /** Names of the options that a flag, the config file or the recipe gave; the others have their defaults. */
  readonly given: ReadonlySet<string>;
  /** Every option with its value under its flag's name: what a run saves, and what `--config` reads back. */
  readonly resolved: Readonly<Record<string, unknown>>;
  readonly json: boolean;
  readonly io: Io;
  /** A path as the user meant it: relative to where the command was started. */
  path(path: string): string;
  /** A line of human output on stdout as it comes; nothing with `--json`. Ends the command where stdout was closed. */
  print(line: string): void;
  /** A line on stderr, in every mode: a choice that was made, a warning. */
  note(line: string): void;
  /** Progress on stderr: one redrawn line on a terminal, now and then a plain line otherwise. */
  status(): Status;
}

export interface Command<O extends OptionTable = OptionTable> {
  readonly arguments?: ArgumentsSpec;
  readonly options: O;
  /** Whether it takes `--config FILE.yaml`. */
  readonly configFile?: true;
  /** Whether it takes `--recipe NAME|FILE`. */
  readonly recipes?: true;
  readonly examples: readonly Example[];
  /** Paragraphs for the end of its help. */
  readonly notes?: readonly string[];
  run(context: Context<O>): Promise<Result>;
}

/**
 * Declares a command; the options' types come from the table.
 *
 * @example
 * export const greet: Command = command({
 *   options: { times: { kind: "integer", default: 1, min: 1, help: "how often" } },
 *   examples: [{ does: "Say it twice", line: "cloze greet --times 2" }],
 *   run: async ({ options }) => ({ json: { times: options.times }, text: ["hello ".repeat(options.times)] }),
 * });
 */
export function command<const O extends OptionTable>(parts: Command<O>): Command {
  return parts as Command<OptionTable>;
}
