/** Help texts, made from the tables that the parser uses. No line is longer than 80 characters. */
import type { Command } from "./command.ts";
import type { CommandEntry } from "./commands.ts";
import { flag, kebab, OPTION_GROUPS, showValue, type OptionSpec, type OptionTable } from "./options.ts";

const WIDTH = 80;
/** A longer list of options is shown under the headings of their groups. */
const LIST_AT_MOST = 20;
/** The column where the explanations begin. */
const COLUMN = 26;

/** Breaks text into lines of at most `width`; a word that is longer stays whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}

/**
 * Lines of the form `  left    right …`. The right side is wrapped under itself. A long left side gets a line of its
 * own.
 */
function entry(left: string, right: string, column: number = COLUMN): readonly string[] {
  const lines = wrap(right, WIDTH - column);
  const head = `  ${left}`;
  const rest = lines.map((line) => " ".repeat(column) + line);
  if (head.length > column - 2) return [head, ...rest];
  return [head.padEnd(column) + (lines[0] ?? ""), ...rest.slice(1)];
}

export function overview(commands: readonly CommandEntry[]): readonly string[] {
  const column = Math.max(...commands.map(({ name }) => name.length)) + 4;
  return [
    "Pretrain, evaluate and use BERT-family encoders, text and protein.",
    "",
    "Usage: cloze COMMAND [OPTIONS]",
    "",
    "Commands:",
    ...commands.flatMap(({ name, summary }) => entry(name, summary, column)),
    "",
    "Every command takes --help, and --json: the last line of stdout is then one",
    "JSON object. Exit code 0 is success, 2 a mistake in what was typed or passed.",
  ];
}

export function commandHelp({ name, summary }: CommandEntry, command: Command, table: OptionTable): readonly string[] {
  const { arguments: words, options, examples, notes = [] } = command;
  const required = Object.entries(options)
    .filter(([key, spec]) => spec.required && key !== words?.option)
    .map(([key, spec]) => `${flag(key)} ${placeholder(spec)}`);
  const usage = ["cloze", name, ...(words === undefined ? [] : [words.name]), ...required, "[OPTIONS]"].join(" ");
  const [first = "", ...more] = wrap(usage, WIDTH - 7);
  const ofWords = words?.option === undefined ? undefined : options[words.option];
  return [
    ...wrap(`${summary}.`, WIDTH),
    "",
    `Usage: ${first}`,
    ...more.map((line) => `       ${line}`),
    ...(words === undefined
      ? []
      : ["", "Arguments:", ...entry(words.name, words.help ?? (ofWords ? explanation(ofWords) : ""))]),
    ...optionLists(
      Object.entries(table).map(([key, spec]) => ({
        group: spec.group ?? "Other",
        lines: entry(
          [shownFlag(key, spec), placeholder(spec)].join(" ").trim(),
          key === words?.option ? `the same as ${words.name.replace(/[[\]]/g, "")}` : explanation(spec),
        ),
      })),
    ),
    "",
    examples.length > 1 ? "Examples:" : "Example:",
    ...examples.flatMap(({ does, line }) => [`  # ${does}`, ...continued(line)]),
    ...notes.flatMap((note) => ["", ...wrap(note, WIDTH)]),
  ];
}

interface ListedOption {
  readonly group: (typeof OPTION_GROUPS)[number];
  readonly lines: readonly string[];
}

/** The options in one list, or if they are many, in a list for each group. `--help` is the last one. */
function optionLists(options: readonly ListedOption[]): readonly string[] {
  const all: readonly ListedOption[] = [...options, { group: "Other", lines: entry("--help", "this text") }];
  if (all.length <= LIST_AT_MOST) return ["", "Options:", ...all.flatMap(({ lines }) => lines)];
  return OPTION_GROUPS.flatMap((group) => {
    const members = all.filter((option) => option.group === group);
    return members.length === 0 ? [] : ["", `${group}:`, ...members.flatMap(({ lines }) => lines)];
  });
}

/** A long command line on several lines, joined by backslashes as a shell takes them. */
function continued(line: string): readonly string[] {
  const lines = wrap(line, WIDTH - 8);
  return lines.map((part, i) => `${i === 0 ? "  " : "    "}${part}${i < lines.length - 1 ? " \\" : ""}`);
}

const PLACEHOLDERS: { readonly [K in OptionSpec["kind"]]: string } = {
  string: "TEXT",
  json: "JSON",
  integer: "N",
  count: "N",
  number: "X",
  duration: "TIME",
  boolean: "",
  list: "TEXT…",
  choice: "NAME",
  scheduled: "X|AT:X,…",
};

/** The flag of an option in the help. An option that is on by default is listed by the flag that turns it off. */
const shownFlag = (key: string, spec: OptionSpec): string =>
  spec.kind === "boolean" && spec.default === true ? `--no-${kebab(key)}` : flag(key);

function placeholder(spec: OptionSpec): string {
  const word =
    spec.value ??
    (spec.kind === "choice" && spec.choices.join("|").length < 20 ? spec.choices.join("|") : PLACEHOLDERS[spec.kind]);
  return spec.kind === "string" && spec.bare !== undefined ? `[${word}]` : word;
}

function explanation(spec: OptionSpec): string {
  const choices =
    spec.kind === "choice" && placeholder(spec) !== spec.choices.join("|") ? `: ${spec.choices.join(", ")}` : "";
  const state = spec.required
    ? " (required)"
    : spec.default === undefined || spec.kind === "boolean"
      ? ""
      : ` (default ${showValue(spec, spec.default)})`;
  return `${spec.help}${choices}${state}`;
}
