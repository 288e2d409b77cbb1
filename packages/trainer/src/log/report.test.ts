import { Script } from "node:vm";
import { describe, expect, test } from "vitest";
import type { MetricsRow } from "./metrics-log.ts";
import { renderReport, type ReportOptions } from "./report.ts";
import { reportScript } from "./report-style.ts";

function run(steps: number): MetricsRow[] {
  return Array.from({ length: steps }, (_, i): MetricsRow[] => {
    const step = i + 1;
    const loss = 2 + 1 / step;
    const train: MetricsRow = {
      type: "train",
      step,
      tokens: step * 512,
      loss,
      lr: 1e-3 / step,
      gradNorm: 1 + (i % 3),
      time: { elapsed: step * 2, tokensPerSecond: 250 + (i % 5) },
    };
    return step % Math.ceil(steps / 5) === 0
      ? [train, { type: "eval", step, tokens: step * 512, loss: loss + 0.1, accuracy: 0.4 }]
      : [train];
  }).flat();
}

const page = (more: Partial<ReportOptions> = {}): string =>
  renderReport({
    title: "a run",
    config: { seed: 1 },
    rows: run(100),
    summary: { "best loss": 2.01 },
    unigramEntropy: 2.89,
    ...more,
  });

/** The elements that are not closed in order; empty for well-formed HTML. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  const bare = new Set(["meta", "link", "wbr"]);
  for (const [, slash, name, self] of html
    .replace(/<(style|script)>[^]*?<\/\1>/g, "")
    .matchAll(/<(\/?)([a-z][a-z0-9]*)(?:"[^"]*"|[^">])*?(\/?)>/g)) {
    if (bare.has(name!) || self) continue;
    if (!slash) open.push(name!);
    else if (open.at(-1) === name) open.pop();
    else return [...open, `/${name}`];
  }
  return open;
}

describe("the page", () => {
  test("holds all its curves, tables and figures", () => {
    const html = page();
    expect([...html.matchAll(/<h2>([^<]*)<\/h2>/g)].map((m) => m[1])).toEqual([
      "Loss",
      "Accuracy",
      "Learning rate",
      "Throughput",
      "Gradient norm",
      "Summary",
      "Config",
    ]);
    expect(html).toContain("unigram entropy 2.890");
    expect(html).toContain("<span>Eval loss</span><b>2.110</b><small>the best so far</small>");
    expect(html).toContain("<span>Below the unigram entropy</span><b>0.7800</b>");
    expect(html).toContain("<b>51.2k</b><small>in 100 steps, 3m 20s</small>");
    expect(html).toContain('<th scope="row">best loss</th><td>2.01</td>');
    expect(unbalanced(html)).toEqual([]);
  });

  test("figures of a task have a chart and a tile; perplexity is shown where it was measured", () => {
    const rows = run(10).map((row) => (row.type === "eval" ? { ...row, f1: 1 - row.step / 20, perplexity: 8 } : row));
    const html = page({
      rows,
      figures: [
        { metric: "f1", better: "higher" },
        { metric: "accuracy", better: "higher" },
      ],
      lossUnit: "nats per answer",
    });
    expect([...html.matchAll(/<h2>([^<]*)<\/h2>/g)].map((m) => m[1])).toEqual([
      "Loss",
      "Accuracy",
      "f1",
      "Learning rate",
      "Throughput",
      "Gradient norm",
      "Summary",
      "Config",
    ]);
    expect(html).toContain("<p>Nats per answer, by step</p>");
    expect(html).toContain("<span>Best f1</span><b>0.9000</b><small>at step 2; 0.5000 at the last</small>");
    expect(html).toContain("<span>Best accuracy</span><b>0.4000</b><small>at step 2; 0.4000 at the last</small>");
    expect(html).toContain("<span>Eval perplexity</span><b>8.000</b>");
    expect(page()).not.toContain("Eval perplexity");
    expect(unbalanced(html)).toEqual([]);
  });

  test("is whole in itself: nothing is fetched", () => {
    expect(page()).not.toMatch(/https?:|src=|url\(|@import|<iframe|<object|fetch\(/);
    expect(page().match(/href="[^"]*"/g)).toEqual(['href="data:,"']);
  });

  test("is the same for the same run", () => expect(page()).toBe(page()));

  test("escapes whatever it is given", () => {
    const evil = `</script><img src=x onerror="alert('1')">&`;
    const html = page({ title: evil, config: { [evil]: evil, list: [evil] }, summary: { [evil]: evil } });
    expect(html).not.toContain("<img");
    expect(html.match(/<\/script>/g)?.length).toBe(1);
    expect(html).toContain(
      "<title>&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;</title>",
    );
    expect(unbalanced(html)).toEqual([]);
  });

  test("nested config is written with dots", () => {
    const html = page({
      config: { optimizer: { name: "adamw", betas: [0.9, 0.98], none: {} }, off: null, steps: 1_000_000, lr: 3e-4 },
    });
    const cells = [...html.matchAll(/<th scope="row">([^]*?)<\/th><td>([^<]*)<\/td>/g)].map((m) => [
      m[1]!.replaceAll("<wbr>", ""),
      m[2],
    ]);
    expect(cells.slice(1)).toEqual([
      ["optimizer.name", "adamw"],
      ["optimizer.betas", "[0.9,0.98]"],
      ["optimizer.none", "{}"],
      ["off", "null"],
      ["steps", "1,000,000"],
      ["lr", "0.0003"],
    ]);
  });

  test("stays small for a long run, and keeps its spike", () => {
    const rows = run(200_000);
    rows[123_456] = { ...rows[123_456]!, gradNorm: 987 };
    const html = page({ rows });
    expect(html.length).toBeLessThan(200_000);
    expect(html).toContain("987");
  });

  test.each([
    ["no rows", []],
    ["one row", run(1).slice(0, 1)],
    ["evaluations only", run(10).filter((row) => row.type === "eval")],
    ["all NaN", run(3).map((row) => ({ ...row, loss: NaN, gradNorm: NaN }))],
  ])("stands with %s", (_, rows) => {
    const html = page({ rows, summary: {}, config: {} });
    expect(unbalanced(html)).toEqual([]);
    expect(html.replace(/<script>[^]*<\/script>/, "")).not.toMatch(
      /undefined|(top|left):(NaN|-?Infinity)| d="[^"]*NaN/,
    );
    expect(html.includes("No steps were recorded yet.")).toBe(rows.length === 0);
  });

  test("says when the loss is still above the unigram entropy", () =>
    expect(page({ unigramEntropy: 1 })).toContain("<span>Above the unigram entropy</span>"));

  test("its script is a script, and no text can end it", () => {
    expect(() => new Script(reportScript)).not.toThrow();
    expect(reportScript).not.toMatch(/innerHTML|<\//);
  });
});
