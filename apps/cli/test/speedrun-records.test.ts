/**
 * The small benchmark: its records keep the rules, its page shows these records, and a run of a record writes its
 * results.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it, test } from "vitest";
import { parseRecord, speedrunRecords, type SpeedrunRecord, type SpeedrunResult } from "../src/speedrun-records.ts";
import { BASELINE, checkedFigures } from "../src/speedrun-rules.ts";
import { standings, standingsText, withTable } from "../src/speedrun-table.ts";
import { cli } from "./run-cli.ts";

const { dir, run, write } = cli();
const where = { path: (given: string): string => resolve(dir, given), cwd: dir };
const records = await speedrunRecords();
const page = readFileSync(new URL("../../../bench/speedrun/README.md", import.meta.url), "utf8");

test.each(records.map((record) => [record.name, record] as const))(
  "%s is within the rules, and its results are those of its recipe",
  async (_, record) => {
    const { steps } = await checkedFigures(record, where);
    expect(record.results.every((result) => result.steps === steps)).toBe(true);
    expect(record.results.map(({ seed }) => seed)).toEqual(record.results.map((__, i) => i));
  },
);

test("the page has the table of the files", async () => {
  expect(page, "write it with: npx cloze speedrun --table bench/speedrun/README.md").toBe(
    withTable(page, await standings(records, where)),
  );
});

test("the page's example is a record", async () => {
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  expect((await checkedFigures(await parseRecord(example, "example.yaml"), where)).tokens).toBe(60 * 4096 + 60 * 8192);
});

const made = (name: string, steps: number, losses: readonly number[]): SpeedrunRecord => ({
  name,
  who: "Ann",
  date: "2026-11-30",
  changed: "a | b",
  results: losses.map((loss, seed): SpeedrunResult => ({
    seed,
    loss,
    steps,
    tokens: 7,
    seconds: 1,
    machine: "m",
    version: "0",
  })),
  recipe: new Map<string, string | number>([
    ["model", "esm2-8m"],
    ["modelOptions", '{"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":64}'],
    ["steps", steps],
  ]),
});

test("the table is in order: by tokens where the target is reached for certain, then by loss", async () => {
  const table = await standings(
    [
      made("unsure", 100, [2.8, 2.88, 2.7]),
      made("two-seeds", 50, [2.7, 2.7001]),
      made("not-run", 60, []),
      made("slow", 200, [2.84, 2.841, 2.842]),
      made(BASELINE, 300, [2.86, 2.861, 2.862]),
      made("fast", 150, [2.85, 2.851, 2.849]),
      made("tie", 150, [2.84, 2.841, 2.839]),
    ],
    where,
  );
  expect(table.target).toBeCloseTo(2.861, 12);
  expect(table.rows.map(({ place, record }) => [place, record.name])).toEqual([
    [1, "tie"],
    [2, "fast"],
    [3, "slow"],
    [undefined, "two-seeds"],
    [undefined, "unsure"],
    [undefined, BASELINE],
    [undefined, "not-run"],
  ]);
  expect(table.rows[1]?.tokens).toBe(150 * 4096);
  for (const line of standingsText(table)) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(withTable("a <!-- records --> old <!-- end of records --> z", table)).toContain(
    "| 1 | tie | a \\| b | 150 | 614,400 | 2.8400 ± 0.0010 | 3 |",
  );
});

const SMALL =
  "who: Ann\ndate: 2026-11-30\nchanged: small # a comment\nrecipe:\n  model: esm2-8m\n  model-options: { " +
  "hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 }\n  steps: 2\n  " +
  "batch-tokens: 512\n";

describe("a run of one's own record", () => {
  it("is written into its file by --record, and reproduced", async () => {
    write("mine.yaml", SMALL);
    const { code, err, out } = await run(
      "speedrun",
      "mine.yaml",
      "--record",
      "--seeds",
      "2",
      "--backend",
      "onnxruntime",
      "--threads",
      "1",
    );
    expect(code, err).toBe(0);
    expect(out).toMatch(/seed 0: loss \d\.\d{4} after 2 steps[\s\S]*mean loss  \d\.\d{4} ± \d\.\d{4} over 2 seeds/);
    const text = readFileSync(join(dir, "mine.yaml"), "utf8");
    const { results } = await parseRecord(text, "mine.yaml");
    expect(text.startsWith(SMALL.slice(0, SMALL.indexOf("recipe")))).toBe(true);
    expect(results.map(({ seed, steps }) => [seed, steps])).toEqual([
      [0, 2],
      [1, 2],
    ]);
    const again = await run(
      "speedrun",
      "mine.yaml",
      "--seeds",
      "1",
      "--backend",
      "onnxruntime",
      "--threads",
      "1",
      "--json",
    );
    expect(again.code, again.err).toBe(0);
    expect(again.json()).toMatchObject({
      record: "mine",
      reproduced: true,
      steps: 2,
      tokens: 1024,
      difference: 0,
      results: [{ loss: results[0]?.loss }],
    });
    write("mine.yaml", text.replace(/loss: [\d.]+/, "loss: 1.5"));
    const other = await run("speedrun", "mine.yaml", "--seeds", "1", "--backend", "onnxruntime", "--threads", "1");
    expect(other.code).toBe(1);
    expect(other.out).toMatch(/recorded {3}1\.5000: not reproduced/);
  }, 90_000);

  it.each([
    ["data: [x.fasta]", /bad, recipe: expected no data, which is the same for all records/],
    ["seed: 4", /expected no seed/],
    ["max-length: 512", /expected a max-length that ends at, or passes, 256 and never more, .* got 512/],
    ["window: { 0: 4, 0.5: wide }", /bad\.yaml, line 7: window/],
    ["accumulat: 1", /bad\.yaml, line 7: unknown key "accumulat"\. Did you mean accumulate\?/],
  ])("%s: one clear line, exit 2", async (line, message) => {
    write("bad.yaml", SMALL.replace("  steps: 2\n", `  ${line}\n  steps: 2\n`));
    const { code, err } = await run("speedrun", "bad.yaml");
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });

  it.each([
    [SMALL.replace("  steps: 2\n", ""), /expected steps, after which the target is reached/],
    [SMALL.replace("steps: 2", "steps: 3000"), /expected at most 1228800 tokens, got 1536000/],
    [SMALL.replace("hidden_size: 16", "hidden_size: 512"), /expected at most 850000 parameters/],
    [SMALL.replace("2026-11-30", "yesterday"), /bad\.yaml, date: expected YYYY-MM-DD, got "yesterday"/],
    [SMALL.replace("recipe:", "recepe:"), /bad\.yaml, recipe: expected a map of options/],
    [`${SMALL}results: [{ seed: 0, loss: high }]\n`, /results\[0\]\.loss: expected a number from 0, got "high"/],
  ])("and what is amiss in the file", async (text, message) => {
    write("bad.yaml", text);
    const { code, err } = await run("speedrun", "bad.yaml");
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });

  it("has to be there", async () => {
    expect((await run("speedrun", "speedrun-moun")).err).toMatch(
      /speedrun speedrun-moun: expected one of esm2-adamw, .* Did you mean speedrun-muon\?/,
    );
    expect((await run("speedrun", "--record")).err).toMatch(/expected a record to run, got none/);
    expect((await run("speedrun", "--table", write("page.md", "no marks"))).err).toMatch(
      /--table .*: expected a page with the marks of the table/,
    );
  });
});
