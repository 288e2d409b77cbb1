/** The table of records: who reaches the target with the fewest tokens, and how certain the result is. */
import { oneSidedTTest } from "@cloze/eval";
import { columns, integer } from "./output.ts";
import type { SpeedrunRecord } from "./speedrun-records.ts";
import { BASELINE, checkedFigures, LARGEST_P, LEAST_SEEDS } from "./speedrun-rules.ts";

export interface Standing {
  /** From 1. Undefined for the baseline, and for a record that does not reach the target for certain. */
  readonly place: number | undefined;
  readonly record: SpeedrunRecord;
  readonly steps: number;
  /** Number of positions in the training: the score. */
  readonly tokens: number;
  readonly parameters: number;
  /** Mean and sample deviation of the loss over the seeds. Undefined without results; the deviation needs two seeds. */
  readonly mean: number | undefined;
  readonly deviation: number | undefined;
  /**
   * The one-sided p-value against the target. Undefined without a target, for fewer than two seeds, and for the
   * baseline, whose mean is the target.
   */
  readonly p: number | undefined;
}

export interface Standings {
  /** Mean loss of the baseline; undefined if the baseline has no results. */
  readonly target: number | undefined;
  /** Records with a place, in order; then records without a place, by loss; at last records without results. */
  readonly rows: readonly Standing[];
}

type Where = Parameters<typeof checkedFigures>[1];

/** The standings of the records. Throws ConfigError for a record that breaks the rules. */
export async function standings(records: readonly SpeedrunRecord[], where: Where): Promise<Standings> {
  const baseline = records.find(({ name }) => name === BASELINE);
  const target = baseline === undefined || baseline.results.length === 0 ? undefined : mean(lossesOf(baseline));
  const rows = await Promise.all(
    records.map(async (record): Promise<Omit<Standing, "place">> => {
      const losses = lossesOf(record);
      const figures = await checkedFigures(record, where);
      const test = losses.length > 1 ? oneSidedTTest(losses, target ?? 0) : undefined;
      return {
        record,
        ...figures,
        mean: losses.length > 0 ? mean(losses) : undefined,
        deviation: test?.deviation,
        p: target === undefined || record.name === BASELINE ? undefined : test?.p,
      };
    }),
  );
  const reaches = ({ p, record }: Omit<Standing, "place">): boolean =>
    p !== undefined && p < LARGEST_P && record.results.length >= LEAST_SEEDS;
  const sorted = [
    ...rows.filter(reaches).sort((a, b) => a.tokens - b.tokens || (a.mean as number) - (b.mean as number)),
    ...rows
      .filter((row) => !reaches(row))
      .sort((a, b) => (a.mean ?? Infinity) - (b.mean ?? Infinity) || (a.record.name < b.record.name ? -1 : 1)),
  ];
  return { target, rows: sorted.map((row, i) => ({ ...row, place: reaches(row) ? i + 1 : undefined })) };
}

const lossesOf = ({ results }: SpeedrunRecord): readonly number[] => results.map(({ loss }) => loss);
const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

const HEAD = ["#", "record", "tokens", "loss", "seeds", "p", "date"] as const;

/** The table as text, in at most 80 columns. */
export function standingsText({ target, rows }: Standings): readonly string[] {
  const cells = rows.map((row) => [
    place(row),
    row.record.name,
    integer(row.tokens),
    loss(row, "±"),
    String(row.record.results.length),
    chance(row),
    row.record.date,
  ]);
  return [targetLine(target), "", ...columns([HEAD, ...cells], [0, 2, 4])];
}

/** The table in Markdown, with the change that each record makes. */
export function standingsMarkdown({ target, rows }: Standings): readonly string[] {
  const cells = rows.map((row) => [
    place(row),
    row.record.name,
    row.record.changed.replaceAll(/\s+/g, " ").replaceAll("|", "\\|"),
    integer(row.steps),
    integer(row.tokens),
    loss(row, "±"),
    String(row.record.results.length),
    chance(row),
    row.record.who,
    row.record.date,
  ]);
  return [
    targetLine(target),
    "",
    "| # | record | what is new | steps | tokens | loss | seeds | p | who | date |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...cells.map((row) => `| ${row.join(" | ")} |`),
  ];
}

const targetLine = (target: number | undefined): string =>
  target === undefined
    ? `Target: the mean loss of ${BASELINE}, which has not been run.`
    : `Target: ${target.toFixed(4)}, the mean loss of ${BASELINE}.`;
const place = (row: Standing): string => (row.place === undefined ? "-" : String(row.place));
const loss = ({ mean: value, deviation }: Standing, sign: string): string =>
  value === undefined
    ? "not run"
    : `${value.toFixed(4)}${deviation === undefined ? "" : ` ${sign} ${deviation.toFixed(4)}`}`;

function chance({ p, record }: Standing): string {
  if (record.name === BASELINE && record.results.length > 0) return "target";
  return p === undefined ? "-" : p < 1e-4 ? p.toExponential(0) : p.toFixed(4);
}

const BEGIN = "<!-- records -->";
const END = "<!-- end of records -->";

/** A page with the table between its marks. Throws RangeError for a page without the marks. */
export function withTable(page: string, table: Standings): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new RangeError(`the page has no ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n${standingsMarkdown(table).join("\n")}\n${page.slice(end)}`;
}
