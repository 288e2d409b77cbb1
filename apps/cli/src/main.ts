/**
 * The main function: from a command line to an exit code. It finds the command, loads it, parses the words, runs the
 * command and prints the result. A command's result may set another exit code.
 *
 *   0    success
 *   1    a bug of ours, or a failure of the machine
 *   2    a mistake of the user, reported in one line
 *   141  the reader of stdout closed it
 */
import { resolve } from "node:path";
import { ClozeError, ConfigError } from "@cloze/errors";
import { COMMANDS, type CommandEntry } from "./commands.ts";
import type { Command, Context } from "./command.ts";
import { processIo, type Io } from "./io.ts";
import { flag, kebab, showValue, unsaid, type OptionTable, type OptionValue } from "./options.ts";
import { OutputClosed, output } from "./output.ts";
import { parseArguments } from "./parse-arguments.ts";
import type { Status } from "./status-line.ts";
import { didYouMean } from "./suggest.ts";
import { version } from "./version.ts";

const EVERY_COMMAND = {
  json: { kind: "boolean", inFile: false, help: "print one JSON object as the last line" },
} as const satisfies OptionTable;
const CONFIG_FILE = {
  config: { kind: "string", value: "FILE.yaml", inFile: false, help: "read options from a file; flags beat it" },
} as const satisfies OptionTable;
/** Standard input, where a file is read. */
const STDIN = "-";

const RECIPE = {
  recipe: {
    kind: "string",
    value: "NAME|FILE",
    inFile: false,
    help: "options of a recipe: cloze recipe list; a file and flags beat them",
    group: "Model",
  },
} as const satisfies OptionTable;

/** All options of a command: its own, and those that commands share. */
export const optionsOf = ({ options, configFile, recipes }: Command): OptionTable => ({
  ...(recipes === true ? RECIPE : {}),
  ...options,
  ...(configFile === true ? CONFIG_FILE : {}),
  ...EVERY_COMMAND,
});

/** Runs a command line and returns the exit code. Never throws. */
export async function main(
  argv: readonly string[],
  io: Io = processIo(),
  commands: readonly CommandEntry[] = COMMANDS,
): Promise<number> {
  const json = argv.slice(0, endOfOptions(argv)).includes("--json");
  const out = output(io, json);
  try {
    return await dispatch(argv, io, commands, json);
  } catch (error) {
    if (error instanceof OutputClosed) return 141;
    const { exitCode, kind, code, message, stack } = describe(error);
    out.note(stack ?? `cloze: ${message}`);
    if (json && !io.outputClosed()) out.object({ error: { kind, code, message } });
    return exitCode;
  }
}

async function dispatch(
  argv: readonly string[],
  io: Io,
  commands: readonly CommandEntry[],
  json: boolean,
): Promise<number> {
  const out = output(io, false);
  const [first] = argv;
  if (first === "--version" || first === "-V") {
    out.print(version());
    return 0;
  }
  const asked = argv.slice(0, endOfOptions(argv)).some((word) => word === "--help" || word === "-h");
  const words = first === "help" ? argv.slice(1) : argv;
  const wantsHelp = asked || first === "help";
  const name = words.filter((word) => !word.startsWith("-")).length === 0 ? undefined : words[0];
  if (name === undefined || name.startsWith("-")) {
    const { overview } = await import("./help.ts");
    if (!wantsHelp && words.length > 0) throw new ConfigError(`expected a command, got ${words[0]}. See: cloze --help`);
    for (const line of overview(commands)) (wantsHelp ? out.print : out.note)(line);
    return wantsHelp ? 0 : 2;
  }
  const { entry, rest } = findCommand(words, commands, wantsHelp);
  if (Array.isArray(entry)) {
    const { overview } = await import("./help.ts");
    for (const line of overview(entry)) out.print(line);
    return 0;
  }
  const command = await entry.load();
  const table = optionsOf(command);
  if (wantsHelp) {
    const { commandHelp } = await import("./help.ts");
    for (const line of commandHelp(entry, command, table)) out.print(line);
    return 0;
  }
  return run(entry.name, command, table, rest, io, json);
}

async function run(
  name: string,
  command: Command,
  table: OptionTable,
  words: readonly string[],
  io: Io,
  json: boolean,
): Promise<number> {
  const { values, args } = parseArguments(words, table, command.arguments, name);
  const path = (given: string): string => (given === STDIN ? given : resolve(io.cwd, given));
  const file = values.get("config");
  const recipe = values.get("recipe");
  let inFile: ReadonlyMap<string, OptionValue> = new Map();
  let inRecipe = inFile;
  if (command.recipes === true && typeof recipe === "string") {
    const { readRecipe } = await import("./recipes.ts");
    inRecipe = (await readRecipe(recipe, path)).options;
  }
  if (command.configFile === true && typeof file === "string") {
    const { readConfigFile } = await import("./config-file.ts");
    inFile = await readConfigFile(path(file), file, table, io.stdin);
  }
  const options: Record<string, OptionValue | undefined> = {};
  const resolved: Record<string, OptionValue> = {};
  const given = new Set<string>();
  const out = output(io, json);
  const { statusLine } = await import("./status-line.ts");
  const status = (): Status => statusLine(io.stderr);
  for (const [key, spec] of Object.entries(command.options)) {
    const said = values.get(key) ?? inFile.get(key) ?? inRecipe.get(key);
    if (said !== undefined) given.add(key);
    else if (spec.required)
      throw new ConfigError(
        `${name}: ${wordsOf(command, key)}${flag(key)} is required: ${spec.help}. See: cloze ${name} --help`,
      );
    let value = said ?? unsaid(spec);
    if (said !== undefined && typeof value === "string" && spec.kind === "string" && spec.checkpoint !== undefined) {
      const { checkpointPath } = await import("./checkpoint-folder.ts");
      const known = spec.checkpoint === true ? [] : spec.checkpoint.unless;
      value = await checkpointPath(value, { path, io, note: out.note, status }, { where: flag(key), known });
    }
    if (said !== undefined && (spec.kind === "string" || spec.kind === "list") && spec.file === true) {
      const { expectFile } = await import("./missing-path.ts");
      for (const name of typeof value === "string" ? [value] : (value as readonly string[]))
        await expectFile(name, path, flag(key));
    }
    options[key] = value;
    // A duration keeps its unit, so that `--config` can read it.
    if (value !== undefined) resolved[kebab(key)] = spec.kind === "duration" ? showValue(spec, value) : value;
  }
  const context: Context = {
    options,
    args,
    given,
    resolved,
    json,
    io,
    path,
    print: out.print,
    note: out.note,
    status,
  };
  const target = command.writes?.of(context);
  const result =
    command.writes === undefined || target === undefined
      ? await command.run(context)
      : await (
          await import("./only-writer.ts")
        ).asOnlyWriter(path(target), { how: command.writes.how, where: name }, () => command.run(context));
  if (json) out.object(result.json);
  else for (const line of result.text ?? []) out.print(line);
  return result.exitCode ?? 0;
}

/** `FILE… or ` for the option that words without a flag are values of. */
const wordsOf = ({ arguments: words }: Command, key: string): string =>
  words?.option === key ? `${words.name} or ` : "";

/**
 * The command that the first word, or the first two words, name. If the user wants the help of a group (`data`), the
 * entry is the list of its commands.
 */
function findCommand(
  words: readonly string[],
  commands: readonly CommandEntry[],
  wantsHelp: boolean,
): { readonly entry: CommandEntry | CommandEntry[]; readonly rest: readonly string[] } {
  const [first = "", second = ""] = words;
  for (const count of [2, 1]) {
    const entry = commands.find(({ name }) => name === words.slice(0, count).join(" "));
    if (entry !== undefined) return { entry, rest: words.slice(count) };
  }
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length === 0)
    throw new ConfigError(
      `unknown command ${first}.${didYouMean(
        first,
        commands.map(({ name }) => name),
        " See: cloze --help",
      )}`,
    );
  if (wantsHelp && (second === "" || second.startsWith("-"))) return { entry: group, rest: [] };
  const names = group.map(({ name }) => name.slice(first.length + 1));
  const got = second === "" || second.startsWith("-") ? "nothing" : second;
  throw new ConfigError(
    `${first}: expected one of ${names.join(", ")}, got ${got}.${got === "nothing" ? "" : didYouMean(got, names)}`,
  );
}

function endOfOptions(argv: readonly string[]): number {
  const at = argv.indexOf("--");
  return at < 0 ? argv.length : at;
}

interface Description {
  readonly exitCode: number;
  readonly kind: string;
  readonly code: string;
  readonly message: string;
  readonly stack?: string;
}

/**
 * An error as an exit code and a message. An error from outside of cloze gets one line; an error inside of cloze keeps
 * its stack.
 */
function describe(error: unknown): Description {
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
  if (ClozeError.isInstance(error) && error.kind !== "internal")
    return { exitCode: 2, kind: error.kind, code: error.code, message };
  if (isSystemError(error))
    return {
      exitCode: USER_CODES.has(error.code) ? 2 : 1,
      kind: USER_CODES.has(error.code) ? "user" : "system",
      code: error.code,
      message,
    };
  const code = error instanceof Error ? error.name : "Error";
  return {
    exitCode: 1,
    kind: "internal",
    code,
    message,
    stack: error instanceof Error ? (error.stack ?? message) : message,
  };
}

/** Error codes of the operating system for a path that the user gave. */
const USER_CODES: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "EISDIR", "EACCES", "EPERM", "EEXIST", "EROFS"]);

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}
