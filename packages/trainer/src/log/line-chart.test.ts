// The parts of a chart: axes, thinned points, the figure itself.
import { describe, expect, test } from "vitest";
import { linearScale, logScale, tickLabel } from "./axis-scale.ts";
import { downsample, smooth, type Point } from "./downsample.ts";
import { renderChart, type ChartSeries } from "./line-chart.ts";

const points = (ys: readonly number[]): Point[] => ys.map((y, x) => ({ x, y }));

describe("axes", () => {
  test.each([
    [0, 5000, 5, 0, [0, 1000, 2000, 3000, 4000, 5000]],
    [2.03, 2.89, 4, 0, [2.2, 2.4, 2.6, 2.8]],
    [0, 0.3, 3, 0, [0, 0.1, 0.2, 0.3]],
    [-1, 1, 4, 0, [-1, -0.5, 0, 0.5, 1]],
    [1, 3, 5, 1, [1, 2, 3]],
    [7, 7, 5, 1, [7]],
    [0, 0, 4, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  ])("linear from %d to %d", (low, high, count, minStep, ticks) =>
    expect(linearScale(low, high, count, minStep).ticks).toEqual(ticks),
  );

  test.each([
    [0.3, 40, [0.3, 1, 3, 10, 30]],
    [1, 20, [1, 2, 5, 10, 20]],
    [1e-3, 1e9, [1e-3, 0.1, 10, 1e3, 1e5, 1e7, 1e9]],
  ])("logarithmic from %d to %d", (low, high, ticks) => expect(logScale(low, high).ticks).toEqual(ticks));

  test("both run from 0 to 1", () => {
    expect([2, 3, 4].map((v) => linearScale(2, 4, 4).at(v))).toEqual([0, 0.5, 1]);
    expect([1, 10, 100].map((v) => logScale(1, 100).at(v))).toEqual([0, 0.5, 1]);
  });

  test.each([
    [0, "0"],
    [2.4, "2.4"],
    [0.30000000000000004, "0.3"],
    [20_000, "20k"],
    [1_500_000, "1.5M"],
    [2e9, "2B"],
    [3e-4, "3e-4"],
    [-5000, "-5k"],
    [1e15, "1e15"],
  ])("label of %d", (value, label) => expect(tickLabel(value)).toBe(label));
});

describe("downsample", () => {
  test("keeps every extreme, the ends and the order, within the limit", () => {
    const ys = Array.from(
      { length: 10_000 },
      (_, i) => Math.sin(i / 900) + (i === 4321 ? 50 : 0) - (i === 7777 ? 50 : 0),
    );
    const few = downsample(points(ys), 600);
    expect(few.length).toBeLessThanOrEqual(600);
    expect(few.map((p) => p.x)).toEqual(few.map((p) => p.x).sort((a, b) => a - b));
    expect([few[0]!.x, few.at(-1)!.x]).toEqual([0, 9999]);
    expect(few.map((p) => p.x)).toEqual(expect.arrayContaining([4321, 7777]));
  });

  test("leaves a short series as it is, hides no NaN", () => {
    const short = points([1, 2, 3]);
    expect(downsample(short, 3)).toBe(short);
    expect(
      downsample(points(Array.from({ length: 1000 }, (_, i) => (i === 500 ? NaN : 1))), 10).some((p) =>
        Number.isNaN(p.y),
      ),
    ).toBe(true);
  });
});

test("smooth is a centred mean: a line stays a line, without its uncertain ends", () => {
  expect(smooth(points([0, 1, 2, 3, 4, 5, 6]), 3).map((p) => [p.x, p.y])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
    [5, 5],
  ]);
  expect(smooth(points([3, NaN, 0, 3]), 1).map((p) => [p.x, p.y])).toEqual([[2, 2]]);
});

describe("a chart", () => {
  const chart = (
    ys: readonly number[],
    more: Partial<ChartSeries> = {},
    rule?: { value: number; label: string },
  ): string =>
    renderChart({
      id: "c",
      title: "T",
      steps: [0, Math.max(1, ys.length - 1)],
      series: [{ name: "s", colour: 1, points: points(ys), ...more }],
      ...(rule ? { rule } : {}),
    });
  const lines = (html: string): string[] =>
    [...html.matchAll(/<path class="line[^"]*" d="([^"]*)"/g)].map((m) => m[1]!);

  test("puts values where they belong", () => {
    // The axis has 6% of space above and below: 10 is at 53.6 thousandths from the top, 0 at 946.4.
    expect(lines(chart([10, 5, 0]))).toEqual(["M0 53.6L500 500L1000 946.4"]);
  });

  test("breaks at a value that is not finite, and says so", () => {
    const html = chart([10, NaN, 5, 0, Infinity]);
    expect(lines(html)).toEqual(["M0 53.6h0M500 500L750 946.4"]);
    expect(html.match(/class="broken"/g)?.length).toBe(2);
    expect(html).toContain("2 values are not finite, at step 1, 4");
    expect(chart([NaN])).toContain("1 value is not finite, at step 0");
  });

  test("one point is a dot, no point no chart", () => {
    expect(lines(chart([3]))).toEqual(["M0 500h0"]);
    expect(chart([])).toBe("");
  });

  test("few points may be marked, many may be smoothed", () => {
    expect(chart([1, 2], { dots: true })).toContain('class="dots c1" d="M0 946.4h0M1000 53.6h0"');
    expect(
      lines(
        chart(
          Array.from({ length: 100 }, (_, i) => i % 7),
          { smoothed: true },
        ),
      ).length,
    ).toBe(2);
  });

  test("makes room for its rule, and names it", () => {
    const html = chart([1, 2], {}, { value: 4, label: "unigram entropy" });
    expect(html).toContain('<path class="rule" d="M0 53.6H1000"/>');
    expect(html).toContain(">unigram entropy 4.000</span>");
  });

  test("turns logarithmic where a spike would flatten it", () => {
    const [before, after] = [lines(chart([1, 2, 1]))[0], lines(chart([1, 2, 1, 1000]))[0]];
    expect(before).toBe("M0 946.4L500 53.6L1000 946.4");
    expect(after!.split("L").map((p) => Number(p.split(" ")[1]))).toEqual([980.6, 884.1, 980.6, 19.4]);
  });

  test("tells its story to who cannot see it", () => {
    const html = chart([3, 1, 2]);
    expect(html).toContain('role="img" aria-labelledby="c-title c-desc"');
    expect(html).toContain(
      '<desc id="c-desc">s: from 3.000 at step 0 to 2.000 at step 2; lowest 1.000 at step 1.</desc>',
    );
  });
});
