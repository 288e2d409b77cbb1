/**
 * The type of a command. A command is a value: a table of options, examples, and a function from typed option values to
 * a result.
 *
 * The name and the summary of a command are in commands.ts, so that the list of commands can be shown without loading
 * any of them.
 */
import type { OptionTable, Values } from "./options.ts";
import type { Io } from "./io.ts";
import type { Status } from "./status-line.ts";

export interface Example {
  /** What the command line does, in a few words. */
  readonly does: string;
  /** A command line, without `$`. */
  readonly line: string;
}

/** Words of the command line that are not options: texts, files. */
export interface ArgumentsSpec {
  /** The name in the usage line: `FILE…`, `[TEXT…]`. */
  readonly name: string;
  /** Default: the help of `option`. */
  readonly help?: string;
  readonly min: number;
  readonly max: number;
  /**
   * The key of the option that these words are values of: `cloze pretrain a.fasta` is `cloze pretrain --data a.fasta`.
   * The words then stand among the option's values, in the order of the command line, and `args` is empty.
   */
  readonly option?: string;
}

export interface Result {
  /** The object that `--json` prints as the last line of stdout. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Lines for people. They are printed at the end, without `--json`. */
  readonly text?: readonly string[];
  /** Default 0. Another code reports an outcome that is neither success nor an error, such as an interrupted run. */
  readonly exitCode?: number;
}

export interface Context<O extends OptionTable = OptionTable> {
  readonly options: Values<O>;
  readonly args: readonly string[];
  /** Keys of the options that a flag, the config file or the recipe sets. All other options have their defaults. */
  readonly given: ReadonlySet<string>;
  /** Every option that has a value, under its flag's name, in the form that `--config` reads. */
  readonly resolved: Readonly<Record<string, unknown>>;
  readonly json: boolean;
  readonly io: Io;
  /** Resolves a path against the folder where the user started the command. "-", standard input, stays as it is. */
  path(path: string): string;
  /**
   * Writes a line for people to stdout at once; with `--json` it writes nothing. Ends the command if stdout is closed.
   */
  print(line: string): void;
  /** Writes a line to stderr, with `--json` too: a choice that the command made, or a warning. */
  note(line: string): void;
  /** Shows progress on stderr: one redrawn line on a terminal, otherwise a plain line now and then. */
  status(): Status;
}

/** What a command writes. Only one command at a time may write there. */
export interface Writes<O extends OptionTable = OptionTable> {
  /**
   * `whole`: a file, or a folder that appears as a whole. `inside`: files in a folder that may hold others. `shared`: a
   * folder in which the command itself decides who writes what.
   */
  readonly how: "whole" | "inside" | "shared";
  /** The path that the user named; undefined if there is none. */
  of(context: Pick<Context<O>, "options" | "args">): string | undefined;
}

export interface Command<O extends OptionTable = OptionTable> {
  readonly arguments?: ArgumentsSpec;
  readonly options: O;
  /** Whether the command takes `--config FILE.yaml`. */
  readonly configFile?: true;
  /** Whether the command takes `--recipe NAME|FILE`. */
  readonly recipes?: true;
  readonly writes?: Writes<O>;
  readonly examples: readonly Example[];
  /** Paragraphs at the end of the help. */
  readonly notes?: readonly string[];
  run(context: Context<O>): Promise<Result>;
}

/**
 * Declares a command. The types of the option values come from the table.
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
