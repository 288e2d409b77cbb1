/**
 * Reader of options from a YAML file. A key is an option's name, as `batch-tokens` or `batchTokens`. A flag on the
 * command line wins over the file.
 *
 *     data: [train.fasta]
 *     batch-tokens: 64k
 *     budget: 10m
 */
import { stat } from "node:fs/promises";
import { ConfigError, FormatError } from "@cloze/errors";
import { expectation, flag, fromFile, kebab, type OptionSpec, type OptionTable, type OptionValue } from "./options.ts";
import type { Io } from "./io.ts";
import { didYouMean } from "./suggest.ts";
import { wholeText } from "./whole-text.ts";

/** The values of a file, by the table's keys. Throws FormatError with the file, the line and the key. */
export async function readConfigFile(
  path: string,
  shown: string,
  table: OptionTable,
  stdin?: Io["stdin"],
): Promise<ReadonlyMap<string, OptionValue>> {
  if (path !== "-")
    await stat(path).catch((cause: NodeJS.ErrnoException) => {
      throw new ConfigError(
        `--config: expected a YAML file at ${shown}, got ${cause.code === "ENOENT" ? "nothing there" : cause.message}.`,
        { cause },
      );
    });
  const text = await wholeText(path, shown, stdin);
  return parseConfig(text, shown, table);
}

/**
 * The values of a YAML text, by the table's keys. `under` names the key whose map holds the options; without it the
 * whole file holds them.
 */
export async function parseConfig(
  text: string,
  file: string,
  table: OptionTable,
  under?: string,
): Promise<ReadonlyMap<string, OptionValue>> {
  const { LineCounter, isMap, isNode, isScalar, isSeq, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const line = (offset: number | undefined): string =>
    offset === undefined ? "" : `line ${lines.linePos(offset).line}`;
  const [mistake] = document.errors;
  if (mistake !== undefined)
    throw new FormatError(file, line(mistake.pos[0]), `expected YAML, got an error: ${mistake.message}.`);
  /** The text of a number as the file writes it, for options that are texts: `labels: [1.0, 2]`, `[true, false]`. */
  const written = (content: unknown): unknown => {
    if (isScalar(content) && typeof content.value === "number") return content.source ?? String(content.value);
    if (isSeq(content)) return content.items.map((item) => (isBoolean(item) ? item.source : written(item)));
    return isNode(content) ? content.toJS(document) : null;
  };
  const isBoolean = (item: unknown): item is { readonly source?: string } =>
    isScalar(item) && typeof item.value === "boolean";
  /** The plain value of a node. Only this step notices an alias without its anchor, or one that expands without end. */
  const plain = (content: unknown, place: string, { kind }: OptionSpec): unknown => {
    try {
      if (kind === "string" || kind === "list") return written(content);
      return isNode(content) ? content.toJS(document) : null;
    } catch (cause) {
      throw new FormatError(
        file,
        place,
        `expected YAML, got an error: ${cause instanceof Error ? cause.message : String(cause)}.`,
        { cause },
      );
    }
  };
  const values = new Map<string, OptionValue>();
  const whole = document.contents;
  const root = under === undefined ? whole : isMap(whole) ? whole.get(under, true) : undefined;
  if (root === null) return values;
  if (under !== undefined && !isMap(root))
    throw new FormatError(file, under, "expected a map of options, `key: value` lines under it.");
  if (!isMap(root))
    throw new FormatError(
      file,
      line(isNode(root) ? root.range?.[0] : undefined),
      "expected `key: value` lines, one for each option.",
    );
  const keys = Object.keys(table).filter((key) => table[key]?.inFile !== false);
  for (const { key: node, value: content } of root.items) {
    const typed = isScalar(node) ? String(node.value) : String(node);
    const place = line(isScalar(node) ? node.range?.[0] : undefined);
    const key = keys.find((each) => each === typed || kebab(each) === typed);
    const spec = key === undefined ? undefined : table[key];
    if (key === undefined || spec === undefined) {
      const outside = Object.keys(table).some((each) => each === typed || kebab(each) === typed);
      const hint = outside
        ? ` It is an option of the command line only: ${flag(typed)}.`
        : didYouMean(typed, keys.map(kebab), ` Known: ${keys.map(kebab).join(", ")}.`);
      throw new FormatError(file, place, `unknown key ${JSON.stringify(typed)}.${hint}`);
    }
    if (values.has(key)) throw new FormatError(file, place, `${kebab(key)} is given twice. Leave one out.`);
    const value = plain(content, place, spec);
    const read = fromFile(spec, value, `${file}, ${place}: ${typed}`);
    if (read === undefined)
      throw new FormatError(
        file,
        place,
        `${typed}: expected ${expectation(spec)}, got ${value === null ? "nothing" : JSON.stringify(value)}.`,
      );
    values.set(key, read);
  }
  return values;
}
