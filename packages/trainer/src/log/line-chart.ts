/**
 * One chart of the report: an inline SVG that fills its frame, with labels in HTML. The SVG stretches, but the text
 * keeps its size from a telephone to a wide screen. Strokes do not scale either (`vector-effect`). Dots are strokes of
 * length 0.
 *
 * The chart is readable without scripts. `data-chart` holds the data for the report's hover line.
 */
import { linearScale, logScale, tickLabel, type AxisScale } from "./axis-scale.ts";
import { downsample, smooth, type Point } from "./downsample.ts";
import { escapeHtml } from "./html-text.ts";
import { formatInteger, formatValue } from "./human-format.ts";

export interface ChartSeries {
  readonly name: string;
  /** Number of the colour in the style sheet: 1 blue, 2 orange. */
  readonly colour: 1 | 2;
  readonly points: readonly Point[];
  /** Draws each point as a dot; for series with few points. */
  readonly dots?: boolean;
  /** Draws the points faintly, and their moving average over them. */
  readonly smoothed?: boolean;
}

export interface ChartOptions {
  /** A plain word that is unique in the page. */
  readonly id: string;
  readonly title: string;
  readonly note?: string;
  readonly series: readonly ChartSeries[];
  /** First and last step of the axis, the same for all charts of a page. */
  readonly steps: readonly [number, number];
  /** A labelled horizontal line. */
  readonly rule?: { readonly value: number; readonly label: string };
  /** Starts the value axis at 0. */
  readonly zero?: boolean;
  readonly wide?: boolean;
}

const maxPoints = 600;
/** Size of the plot: positions are in thousandths of it. */
const unit = 1000;

/** The HTML of the chart, or "" if no series has a point. */
export function renderChart(options: ChartOptions): string {
  const { id, title, note, rule, wide } = options;
  const series = options.series.filter(({ points }) => points.length > 0);
  const points = series.flatMap((one) => one.points);
  const finite = points.filter(({ y }) => Number.isFinite(y));
  if (points.length === 0) return "";
  const x = linearScale(options.steps[0], options.steps[1], 5, 1);
  const y = valueScale([...finite.map((p) => p.y), ...(rule ? [rule.value] : [])], options.zero ?? false);
  const broken = points.filter((p) => !Number.isFinite(p.y));
  const hover = series.map((one) => {
    const shown = downsample(one.points, maxPoints).filter((p) => Number.isFinite(p.y));
    return {
      name: one.name,
      colour: one.colour,
      x: shown.map((p) => p.x),
      y: shown.map((p) => Number(p.y.toPrecision(5))),
    };
  });
  const data = JSON.stringify({ low: x.low, high: x.high, series: hover });
  const noteHtml = note === undefined ? "" : `<p>${escapeHtml(note)}</p>`;
  const description = series.map(describe).join(" ") + (rule ? ` ${rule.label}: ${formatValue(rule.value)}.` : "");
  const ruleText = rule ? `${escapeHtml(rule.label)} ${formatValue(rule.value)}` : "";
  return `<figure class="chart${wide ? " wide" : ""}" data-chart="${escapeHtml(data)}">
<figcaption><h2>${escapeHtml(title)}</h2>${noteHtml}${legend(series)}</figcaption>
<div class="frame"><div class="plot">
<svg viewBox="0 0 ${unit} ${unit}" preserveAspectRatio="none" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${escapeHtml(title)}</title>
<desc id="${id}-desc">${escapeHtml(description)}</desc>
${y.ticks.map((tick) => `<path class="grid" d="M0 ${down(y, tick)}H${unit}"/>`).join("")}
${broken
  .slice(0, 100)
  .map((p) => `<path class="broken" d="M${along(x, p.x)} 0V${unit}"/>`)
  .join("")}
${rule ? `<path class="rule" d="M0 ${down(y, rule.value)}H${unit}"/>` : ""}
${series.map((one) => curves(one, x, y)).join("\n")}
</svg>
${y.ticks.map((tick) => `<span class="y" style="top:${down(y, tick) / 10}%">${tickLabel(tick)}</span>`).join("")}
${x.ticks.map((tick) => `<span class="x" style="left:${along(x, tick) / 10}%">${tickLabel(tick)}</span>`).join("")}
${rule ? `<span class="rule-label" style="top:${down(y, rule.value) / 10}%">${ruleText}</span>` : ""}
</div></div>
${broken.length === 0 ? "" : `<p class="alarm">${brokenText(broken)}</p>`}</figure>`;
}

function curves({ points, colour, dots, smoothed }: ChartSeries, x: AxisScale, y: AxisScale): string {
  const few = downsample(points, maxPoints);
  if (smoothed && points.length >= 40) {
    const average = downsample(smooth(points, Math.ceil(points.length / 60)), maxPoints);
    return (
      `<path class="line faint c${colour}" d="${pathOf(few, x, y)}"/><path class="line c${colour}" ` +
      `d="${pathOf(average, x, y)}"/>`
    );
  }
  const line = `<path class="line c${colour}" d="${pathOf(few, x, y)}"/>`;
  if (!dots || points.length > 60) return line;
  const marks = few.filter((p) => Number.isFinite(p.y)).map((p) => `M${along(x, p.x)} ${down(y, p.y)}h0`);
  return `${line}<path class="dots c${colour}" d="${marks.join("")}"/>`;
}

/**
 * The path of a line. A value that is not finite breaks the line. A single point is a line of length 0, which round
 * caps show as a dot.
 */
function pathOf(points: readonly Point[], x: AxisScale, y: AxisScale): string {
  let d = "";
  let open = false;
  points.forEach((p, i) => {
    if (!Number.isFinite(p.y)) return void (open = false);
    d += `${open ? "L" : "M"}${along(x, p.x)} ${down(y, p.y)}`;
    const next = points[i + 1];
    if (!open && (next === undefined || !Number.isFinite(next.y))) d += "h0";
    open = true;
  });
  return d;
}

function along(scale: AxisScale, value: number): number {
  return Math.round(scale.at(value) * unit * 10) / 10;
}

function down(scale: AxisScale, value: number): number {
  return Math.round((1 - scale.at(value)) * unit * 10) / 10;
}

/**
 * The value axis. It is logarithmic where a linear axis would flatten the curve: values that span a factor of more than
 * 30, all above 0.
 */
function valueScale(values: readonly number[], zero: boolean): AxisScale {
  if (values.length === 0) return linearScale(0, 1, 4);
  const [low, high] = extent(values);
  if (!zero && low > 0 && high / low > 30) return logScale(low / 1.15, high * 1.15);
  const from = zero ? Math.min(0, low) : low;
  const room = (high - from) * 0.06;
  return linearScale(zero && low >= 0 ? 0 : from - room, high + room, 4);
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce(
    ([low, high]: [number, number], v) => [Math.min(low, v), Math.max(high, v)],
    [Infinity, -Infinity],
  );
}

function legend(series: readonly ChartSeries[]): string {
  const items = series.map(({ name, colour, points, dots }) => {
    const last = points.at(-1)?.y ?? NaN;
    return `<li><i class="c${colour}${dots ? " dot" : ""}"></i>${escapeHtml(name)} <b>${formatValue(last)}</b></li>`;
  });
  return `<ul class="legend">${items.join("")}</ul>`;
}

function describe({ name, points }: ChartSeries): string {
  const first = points[0]!;
  const last = points.at(-1)!;
  const lowest = points.reduce((best, p) => (p.y < best.y ? p : best), first);
  const at = (p: Point): string => `${formatValue(p.y)} at step ${formatInteger(p.x)}`;
  return `${name}: from ${at(first)} to ${at(last)}; lowest ${at(lowest)}.`;
}

function brokenText(broken: readonly Point[]): string {
  const steps = broken
    .slice(0, 5)
    .map((p) => formatInteger(p.x))
    .join(", ");
  return (
    `${broken.length} value${broken.length === 1 ? " is" : "s are"} not finite, at step ` +
    `${steps}${broken.length > 5 ? ", …" : ""}`
  );
}
