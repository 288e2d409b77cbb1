/**
 * The parser of CoNLL files: a line for each word, with its columns between tabs or spaces; blank lines separate
 * sentences. The parser skips `-DOCSTART-` lines, comments and a byte order mark.
 *
 * Columns: those that the caller names; those that a header names, or `# global.columns`; in CoNLL-U (ten columns, the
 * first is a number) FORM and UPOS; otherwise the first column is the word, the last is the tag.
 *
 * A line that begins with `#` is a comment only where it cannot be a word with its tag: `# O` and `#hashtag O` are
 * words. As in CoNLL-U, comments stand before the first word of a sentence.
 * Source: universaldependencies.org/format.html.
 */
import { FormatError } from "@cloze/errors";
import { columnAmong, sameName } from "./fields.ts";
import type { TaggedRecord } from "./token-classification.ts";

export interface TaggedSentence extends TaggedRecord {
  readonly words: readonly string[];
  readonly tags: readonly string[];
  /** Line number of the first word, from 1. */
  readonly line: number;
}

/** Columns by their number from 1, or by their name in the header. */
export interface ConllColumns {
  readonly words?: string | undefined;
  readonly tags?: string | undefined;
}

interface Line {
  readonly number: number;
  readonly raw: string;
  readonly cells: readonly string[];
}

/** Column indexes of the word and its tag. */
interface Layout {
  readonly word: number;
  readonly tag: number;
  /** Number of columns of every line; undefined if lines may differ. */
  readonly count: number | undefined;
  /** Whether the first column is the number of the word. */
  readonly numbered: boolean;
  /** The line number of the header, if there is one. */
  readonly header?: number;
}

const UD_COLUMNS = "ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC".split(" ");
/**
 * The number of a word in CoNLL-U: a whole number; `1-2` for a word of several syntactic words; `1.1` for an empty
 * one.
 */
const WORD_NUMBER = /^\d+([-.]\d+)?$/;

const isBlank = (raw: string): boolean => raw.trim() === "" || raw.startsWith("-DOCSTART-");

function cellsOf(raw: string): readonly string[] {
  const byTab = raw.trimEnd().split("\t");
  return byTab.length > 1 ? byTab.map((cell) => cell.trimEnd()) : raw.trim().split(/ +/);
}

/**
 * Parses a CoNLL file. Throws FormatError with the line number for a word without a tag, or with another number of
 * columns than the other words; and FormatError for a file without words.
 */
export function parseConll(text: string, file: string, columns: ConllColumns = {}): readonly TaggedSentence[] {
  const lines = text
    .replace(/^\u{feff}/u, "")
    .split(/\r\n|\n/)
    .map((raw, i): Line => ({ number: i + 1, raw, cells: cellsOf(raw) }));
  const layout = layoutOf(lines, file, columns);
  const isComment = commentsOf(lines, layout);
  const sentences: TaggedSentence[] = [];
  let open: { words: string[]; tags: string[]; line: number } | undefined;
  for (const line of lines) {
    const { number, raw, cells } = line;
    if (isBlank(raw)) {
      open = undefined;
      continue;
    }
    if (number === layout.header || (open === undefined && isComment(line))) continue;
    if (layout.numbered && /[-.]/.test(cells[0] as string)) continue;
    const word = cells[layout.word] ?? "";
    const tag = (cells[layout.tag] ?? "").trim();
    if (layout.count !== undefined && cells.length > 1 && cells.length !== layout.count)
      throw new FormatError(
        file,
        `line ${number}`,
        `expected ${layout.count} columns, as the other lines have, got ${cells.length}: ` +
          `${JSON.stringify(raw.slice(0, 40))}. Correct it, or name the columns with --columns words=1,tags=2.`,
      );
    if (word === "" || tag === "" || layout.word === layout.tag)
      throw new FormatError(
        file,
        `line ${number}`,
        `expected a word and its tag, got ${JSON.stringify(raw.slice(0, 40))}. Separate them by a tab, and ` +
          "sentences by a blank line.",
      );
    if (open === undefined) sentences.push((open = { words: [], tags: [], line: number }));
    open.words.push(word);
    open.tags.push(tag);
  }
  if (sentences.length === 0) throw new FormatError(file, "", "expected words and tags, got an empty file.");
  return sentences;
}

/** Whether a TSV has whole sentences in its cells, with a tag for each word: a table, and not CoNLL. */
export function holdsSentences(text: string): boolean {
  const parts = (cell: string): number => cell.trim().split(/\s+/).length;
  return text
    .split(/\r\n|\n/, 50)
    .map((raw) => raw.split("\t"))
    .some(
      (cells) =>
        cells.length > 1 &&
        parts(cells[0] as string) > 1 &&
        cells.slice(1).some((cell) => parts(cell) === parts(cells[0] as string)),
    );
}

function layoutOf(lines: readonly Line[], file: string, given: ConllColumns): Layout {
  const plain = lines.filter(({ raw }) => !isBlank(raw) && !raw.startsWith("#"));
  const [first] = plain;
  const declared = lines.find(({ raw }) => /^#\s*global\.columns\s*=/.test(raw));
  const titled = first !== undefined && isHeader(first.cells);
  const names =
    declared?.raw
      .replace(/^[^=]*=/, "")
      .trim()
      .split(/\s+/) ?? (titled ? first.cells : undefined);
  const header = titled && declared === undefined ? { header: first.number } : {};
  const body = titled ? plain.slice(1) : plain;
  const count = usualCount(body);
  const numbered = body.length > 0 && count > 2 && isNumbered(lines, body);
  if (given.words !== undefined || given.tags !== undefined) {
    const at = (column: string | undefined, usual: number): number => {
      if (column === undefined) return usual;
      const place = /^\d+$/.test(column)
        ? Number(column) - 1
        : (names?.findIndex((name) => sameName(name, column)) ?? -1);
      if (place < 0 || place >= count)
        throw new FormatError(
          file,
          "",
          `expected a column ${JSON.stringify(column)}, got ` +
            `${names?.join(", ") ?? `${count} columns without names`}. ` +
            "Name columns by their number, from 1: --columns words=1,tags=2.",
        );
      return place;
    };
    return {
      word: at(given.words, numbered ? 1 : 0),
      tag: at(given.tags, count - 1),
      count: undefined,
      numbered,
      ...header,
    };
  }
  const named = names ?? (numbered && count === UD_COLUMNS.length ? UD_COLUMNS : undefined);
  if (named !== undefined) {
    const word = columnAmong(named, "words");
    const tag = columnAmong(named, "tags");
    return {
      word: word >= 0 ? word : Number(numbered),
      tag: tag >= 0 ? tag : count - 1,
      count: Math.max(count, 2),
      numbered,
      ...header,
    };
  }
  if (numbered && count > 3)
    throw new FormatError(
      file,
      `line ${body[0]?.number}`,
      `expected to know the columns, got the number of the word and ${count - 1} more: ` +
        `${JSON.stringify(body[0]?.raw.slice(0, 60))}. Name them by their number: --columns words=2,tags=3.`,
    );
  return { word: Number(numbered), tag: count - 1, count: Math.max(count, 2), numbered };
}

/** Whether a line names its columns: one is a name of words, another a name of tags. */
function isHeader(cells: readonly string[]): boolean {
  return (
    cells.length > 1 &&
    columnAmong(cells, "words") >= 0 &&
    columnAmong(cells, "tags") >= 0 &&
    columnAmong(cells, "words") !== columnAmong(cells, "tags")
  );
}

/** The most frequent number of columns. */
function usualCount(lines: readonly Line[]): number {
  const counts = new Map<number, number>();
  for (const { cells } of lines) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1);
  let usual = 0;
  for (const [count, times] of counts) if (count > 1 && times > (counts.get(usual) ?? 0)) usual = count;
  return usual;
}

/** Whether the first columns are the numbers of the words, from 1 in each sentence. */
function isNumbered(lines: readonly Line[], body: readonly Line[]): boolean {
  if (!body.every(({ cells }) => WORD_NUMBER.test(cells[0] as string))) return false;
  const firsts = body.filter(({ number }) => {
    const before = lines[number - 2];
    return before === undefined || isBlank(before.raw) || before.raw.startsWith("#");
  });
  return firsts.every(({ cells }) => /^[01]([-.]\d+)?$/.test(cells[0] as string));
}

/** A test for comments. A line with `#` is a word if it has the columns of a word, and a tag that other words have. */
function commentsOf(lines: readonly Line[], { tag, count, numbered }: Layout): (line: Line) => boolean {
  const tags = new Set(
    lines.filter(({ raw }) => !isBlank(raw) && !raw.startsWith("#")).map(({ cells }) => cells[tag]?.trim()),
  );
  return ({ raw, cells }) => {
    if (!raw.startsWith("#")) return false;
    if (numbered || /^#\s*[\w.:-]+\s*=/.test(raw)) return true;
    const whole = count === undefined ? cells.length > tag : cells.length === count;
    if (!whole) return /^#\s/.test(raw);
    return !tags.has(cells[tag]?.trim()) && /^# +\p{Ll}/u.test(raw) && !raw.includes("\t");
  };
}
