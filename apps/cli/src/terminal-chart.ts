/**
 * A chart of a quantity over a run, as text. Bars have steps of an eighth of a line, so that four lines tell 32 values
 * apart. If the values are names, the chart is a strip with each name where it begins.
 *
 *     batch-tokens
 *       512k |                    ████████████
 *            |          ▄▄▄▄▄▄▄▄▄▄████████████
 *          0 |▃▃▃▃▃▃▃▃▃▃██████████████████████
 *             0                          10k steps
 */
const EIGHTHS = " ▁▂▃▄▅▆▇█";
const ROWS = 4;
const LABEL = 10;

export interface TerminalChart {
  readonly title: string;
  /** Width of a line. Default 80. */
  readonly width?: number;
  /** The value at a share of the run, or undefined where there is none. */
  at(share: number): number | string | undefined;
  /** The text at the right end of the axis: `500k steps`. */
  readonly end: string;
}

/** Lines of at most `width` characters. */
export function terminalChart({ title, width = 80, at, end }: TerminalChart): readonly string[] {
  const across = width - LABEL - 2;
  const values = Array.from({ length: across }, (_, i) => at(i / (across - 1)));
  const axis = `${" ".repeat(LABEL + 2)}0${end.padStart(across - 1)}`;
  const numbers = values.filter((value): value is number => typeof value === "number");
  if (values.some((value) => value === undefined))
    return [title, `${" ".repeat(LABEL + 2)}changes at steps, and how many there will be the options do not say`];
  if (numbers.length < values.length) return [title, `${" ".repeat(LABEL)} |${strip(values.map(String))}`, axis];
  const least = Math.min(...numbers);
  const most = Math.max(...numbers);
  const base = least >= 0 && least < most / 3 ? 0 : least - (most - least) / (ROWS * 8 - 1);
  const span = most - base || 1;
  const heights = numbers.map((value) => Math.round(((value - base) / span) * ROWS * 8));
  const labels = [label(most), ...Array.from({ length: ROWS - 2 }, () => ""), label(base === 0 ? 0 : least)];
  return [
    title,
    ...labels.map(
      (text, row) =>
        `${text.padStart(LABEL)} |${heights
          .map((height) => EIGHTHS[Math.min(8, Math.max(0, height - (ROWS - 1 - row) * 8))])
          .join("")
          .trimEnd()}`,
    ),
    axis,
  ];
}

/** Each name where it begins, cut to the room for it. */
function strip(names: readonly string[]): string {
  let line = "";
  for (let i = 0; i < names.length;) {
    let end = i + 1;
    while (end < names.length && names[end] === names[i]) end++;
    line += (names[i] as string).slice(0, end - i - 1).padEnd(end - i - 1, "─") + (end < names.length ? "┤" : "─");
    i = end;
  }
  return line;
}

/** A number as text: whole numbers below a million in full, others with four digits: `2,047`, `2.097M`, `0.0004`. */
function label(value: number): string {
  if (Number.isInteger(value) && value < 1e6) return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
  for (const [size, unit] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
  ] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(4))}${unit}`;
  }
  return String(Number(value.toPrecision(4)));
}
