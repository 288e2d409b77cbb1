/**
 * The parser of a command line: from words to values, by the command's table.
 *
 * It takes `--name value`, `--name=value`, `--flag`, `--no-flag`, lists of several words, and `--` before words that
 * begin with a dash. The word after a flag is its value, unless the word is a flag itself; `-1` is a number. An option
 * may appear once; a list may appear several times. Words without a flag are the command's arguments, or values of the
 * option that the command names for them.
 */
import { ConfigError } from "@cloze/errors";
import type { ArgumentsSpec } from "./command.ts";
import { expectation, flag, parseWord, type OptionSpec, type OptionTable, type OptionValue } from "./options.ts";
import { didYouMean } from "./suggest.ts";

export interface ParsedArguments {
  /** The values of the options that the user gave, and no others. */
  readonly values: ReadonlyMap<string, OptionValue>;
  readonly args: readonly string[];
}

const isFlag = (word: string): boolean => word.startsWith("-") && word !== "-" && !/^-\.?\d/.test(word);

export function parseArguments(
  words: readonly string[],
  table: OptionTable,
  taken: ArgumentsSpec | undefined,
  name: string,
): ParsedArguments {
  const byFlag = new Map(Object.entries(table).map(([key, spec]) => [flag(key), { key, spec }] as const));
  const values = new Map<string, OptionValue>();
  const args: string[] = [];
  const help = ` See: cloze ${name} --help`;
  const own = taken?.option === undefined ? undefined : table[taken.option];
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      words.slice(at + 1).forEach(argument);
      break;
    }
    if (!isFlag(word)) {
      argument(word);
      continue;
    }
    const [, typed = word, inline] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
    const negated = typed.startsWith("--no-") ? byFlag.get(`--${typed.slice("--no-".length)}`) : undefined;
    const found = byFlag.get(typed) ?? (negated?.spec.kind === "boolean" ? negated : undefined);
    if (found === undefined)
      throw new ConfigError(`${name}: unknown option ${typed}.${didYouMean(typed, byFlag.keys(), help)}`);
    const { key, spec } = found;
    set(key, spec, valueOf(spec, typed, inline, negated === found && !byFlag.has(typed)));
  }
  checkArguments(args, taken, name, help);
  return { values, args: own === undefined ? args : [] };

  function argument(word: string): void {
    args.push(word);
    if (taken?.option === undefined || own === undefined || args.length > taken.max) return;
    set(taken.option, own, parseWord(own, word, `${name}: ${taken.name}`));
  }

  function set(key: string, spec: OptionSpec, value: OptionValue): void {
    const earlier = values.get(key);
    if (earlier !== undefined && spec.kind !== "list")
      throw new ConfigError(
        taken?.option === key
          ? `${name}: expected ${flag(key)} or one ${taken.name}, got ${String(earlier)} and ${String(value)}. ` +
              "Leave one out."
          : `${flag(key)}: given twice. Leave one out.`,
      );
    values.set(
      key,
      spec.kind === "list"
        ? [...((earlier as readonly string[] | undefined) ?? []), ...(value as readonly string[])]
        : value,
    );
  }

  function valueOf(spec: OptionSpec, typed: string, inline: string | undefined, no: boolean): OptionValue {
    if (spec.kind === "boolean") {
      if (no && inline !== undefined)
        throw new ConfigError(`${typed}: expected no value, got ${JSON.stringify(inline)}.`);
      return inline === undefined ? !no : parseWord(spec, inline, typed);
    }
    if (inline !== undefined) return parseWord(spec, inline, typed);
    const follow = (): string | undefined => {
      const next = words[at + 1];
      return next === undefined || isFlag(next) || next === "--" ? undefined : words[++at];
    };
    const first = follow();
    if (first === undefined) {
      if (spec.kind === "string" && spec.bare !== undefined) return spec.bare;
      throw new ConfigError(`${typed}: expected ${expectation(spec)}, got nothing.`);
    }
    const many = spec.kind === "list" && spec.single !== true && (taken === undefined || own !== undefined);
    if (!many) return parseWord(spec, first, typed);
    const list = [first];
    for (let next = follow(); next !== undefined; next = follow()) list.push(next);
    return list;
  }
}

function checkArguments(args: readonly string[], taken: ArgumentsSpec | undefined, name: string, help: string): void {
  const extra = args[taken?.max ?? 0];
  if (extra !== undefined) {
    const room =
      taken === undefined
        ? "no words but options"
        : taken.max === 1
          ? `one ${taken.name}`
          : `at most ${taken.max} words`;
    throw new ConfigError(`${name}: expected ${room}, got ${JSON.stringify(extra)}.${help}`);
  }
  if (taken !== undefined && args.length < taken.min)
    throw new ConfigError(`${name}: expected ${taken.name}, got nothing.${help}`);
}
