/**
 * report.html: one page about a run, in a single file. The file needs no network and no library, and has a light and a
 * dark style.
 *
 * The page is a pure function of the arguments: two calls return the same bytes.
 */
import { escapeHtml } from "./html-text.ts";
import { formatCount, formatDuration, formatInteger, formatValue } from "./human-format.ts";
import { renderChart, type ChartSeries } from "./line-chart.ts";
import type { MetricsRow, MetricsType } from "./metrics-log.ts";
import { reportScript, reportStyle } from "./report-style.ts";

export interface ReportOptions {
  readonly title: string;
  /** The configuration, shown as a table. Dots join nested keys. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly rows: readonly MetricsRow[];
  readonly summary: Readonly<Record<string, string | number | boolean>>;
  /** The unigram entropy in nats. The loss chart shows it as a line: a model below it has learnt from context. */
  readonly unigramEntropy?: number;
  /** Default "nats per predicted token". */
  readonly lossUnit?: string;
  /** Further figures of the evaluation, besides loss and accuracy, each with its own chart and tile. */
  readonly figures?: readonly { readonly metric: string; readonly better: "higher" | "lower" }[];
}

/** The HTML of the page. A chart without values is left out. */
export function renderReport(options: ReportOptions): string {
  const { title, config, summary } = options;
  const charts = renderCharts(options).filter((chart) => chart !== "");
  const tiles = renderTiles(options);
  const curves =
    charts.length === 0
      ? `<p class="none">No steps were recorded yet.</p>`
      : `<section class="charts" aria-label="Curves">\n${charts.join("\n")}\n</section>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${reportStyle}</style>
</head>
<body>
<main>
<header><h1>${escapeHtml(title)}</h1><p>Training report</p></header>
${tiles === "" ? "" : `<section class="tiles" aria-label="In short">${tiles}</section>`}
${curves}
<section class="tables">
${renderTable("Summary", Object.entries(summary))}
${renderTable("Config", flatten(config))}
</section>
</main>
<script>${reportScript}</script>
</body>
</html>
`;
}

function renderCharts({
  rows,
  unigramEntropy: unigram,
  lossUnit = "nats per predicted token",
  figures = [],
}: ReportOptions): string[] {
  const series = (
    name: string,
    colour: 1 | 2,
    type: MetricsType,
    value: (row: MetricsRow) => unknown,
    style: Partial<ChartSeries> = {},
  ): ChartSeries => ({
    name,
    colour,
    points: rows.flatMap((row) => {
      const y = row.type === type ? value(row) : undefined;
      return typeof y === "number" ? [{ x: row.step, y }] : [];
    }),
    ...style,
  });
  const train = series("train", 1, "train", (row) => row.loss, { smoothed: true });
  const evaluated = series("eval", 2, "eval", (row) => row.loss, { dots: true });
  const first = rows[0]?.step ?? 0;
  const last = rows.at(-1)?.step ?? 0;
  const steps = [first < last / 20 ? 0 : first, last] as const;
  const smoothNote = train.points.length >= 40 ? "; train as logged (faint) and as a moving average" : "";
  return [
    renderChart({
      id: "loss",
      title: "Loss",
      wide: true,
      note: `${sentence(lossUnit)}, by step${smoothNote}`,
      steps,
      series: [train, evaluated],
      ...(unigram === undefined ? {} : { rule: { value: unigram, label: "unigram entropy" } }),
    }),
    renderChart({
      id: "accuracy",
      title: "Accuracy",
      zero: true,
      steps,
      series: [
        series("train", 1, "train", (row) => row["accuracy"], { smoothed: true }),
        series("eval", 2, "eval", (row) => row["accuracy"], { dots: true }),
      ],
    }),
    ...figures
      .filter(({ metric }) => metric !== "accuracy" && metric !== "loss")
      .map(({ metric }) =>
        renderChart({
          id: metric,
          title: metric,
          steps,
          series: [series("eval", 2, "eval", (row) => row[metric], { dots: true })],
        }),
      ),
    renderChart({
      id: "lr",
      title: "Learning rate",
      zero: true,
      steps,
      series: [series("lr", 1, "train", (row) => row.lr)],
    }),
    renderChart({
      id: "speed",
      title: "Throughput",
      zero: true,
      steps,
      series: [series("tokens/s", 1, "train", (row) => row.time?.tokensPerSecond, { smoothed: true })],
    }),
    renderChart({
      id: "grad",
      title: "Gradient norm",
      steps,
      series: [
        series("norm", 1, "train", (row) => (row["skipped"] === true ? undefined : row.gradNorm), { smoothed: true }),
      ],
    }),
    renderChart({
      id: "scale",
      title: "Loss scale",
      steps,
      series: [series("scale", 1, "train", (row) => row["lossScale"])],
    }),
  ];
}

const sentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** The most important numbers, as far as the rows contain them. */
function renderTiles({ rows, unigramEntropy: unigram, figures = [] }: ReportOptions): string {
  const tiles: [string, string, string][] = [];
  const evals = rows.filter((row) => row.type === "eval");
  const lastEval = evals.at(-1);
  const last = rows.at(-1);
  if (lastEval !== undefined) {
    const bestBy = (value: (row: MetricsRow) => number, better: "higher" | "lower"): MetricsRow =>
      evals.reduce((a, b) => ((better === "higher" ? value(b) > value(a) : value(b) < value(a)) ? b : a));
    const lowest = bestBy((row) => row.loss, "lower");
    tiles.push([
      "Eval loss",
      formatValue(lastEval.loss),
      lowest === lastEval
        ? "the best so far"
        : `best ${formatValue(lowest.loss)} at step ${formatInteger(lowest.step)}`,
    ]);
    if (typeof lastEval["perplexity"] === "number")
      tiles.push(["Eval perplexity", formatValue(lastEval["perplexity"]), "e to the loss"]);
    for (const { metric, better } of figures.filter((figure) => figure.metric !== "loss")) {
      const value = (row: MetricsRow): number => Number(row[metric]);
      const best = bestBy(value, better);
      if (Number.isFinite(value(best)))
        tiles.push([
          `Best ${metric}`,
          formatValue(value(best)),
          "at step " +
            `${formatInteger(best.step)}${best === lastEval ? "" : `; ${formatValue(value(lastEval))} at the last`}`,
        ]);
    }
    if (unigram !== undefined) {
      const gain = unigram - lastEval.loss;
      tiles.push([
        gain >= 0 ? "Below the unigram entropy" : "Above the unigram entropy",
        `${formatValue(Math.abs(gain))}`,
        gain >= 0 ? "nats learnt from context" : "nats still to go",
      ]);
    }
  }
  if (last !== undefined) {
    const elapsed = rows.findLast((row) => row.time?.elapsed !== undefined)?.time?.elapsed;
    tiles.push([
      "Tokens seen",
      formatCount(last.tokens),
      `in ${formatInteger(last.step)} steps${elapsed === undefined ? "" : `, ${formatDuration(elapsed)}`}`,
    ]);
  }
  return tiles
    .map(
      ([name, value, more]) =>
        `<div class="tile"><span>${escapeHtml(name)}</span><b>${escapeHtml(value)}</b>` +
        `<small>${escapeHtml(more)}</small></div>`,
    )
    .join("");
}

function renderTable(title: string, entries: readonly (readonly [string, unknown])[]): string {
  if (entries.length === 0) return "";
  const breakable = (key: string): string => escapeHtml(key).replace(/[._]/g, "$&<wbr>");
  const rows = entries.map(
    ([key, value]) => `<tr><th scope="row">${breakable(key)}</th><td>${escapeHtml(cellText(value))}</td></tr>`,
  );
  return `<section class="table"><h2>${escapeHtml(title)}</h2><table>${rows.join("")}</table></section>`;
}

function cellText(value: unknown): string {
  if (typeof value === "number")
    return Number.isInteger(value) && Math.abs(value) >= 10_000
      ? formatInteger(value)
      : String(Number(value.toPrecision(6)));
  return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
}

function flatten(value: Readonly<Record<string, unknown>>, prefix = ""): [string, unknown][] {
  return Object.entries(value).flatMap(([key, child]): [string, unknown][] =>
    typeof child === "object" && child !== null && !Array.isArray(child) && Object.keys(child).length > 0
      ? flatten(child as Readonly<Record<string, unknown>>, `${prefix}${key}.`)
      : [[prefix + key, child]],
  );
}
