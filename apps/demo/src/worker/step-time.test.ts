/**
 * The rule that foretells the time of a step, with times that were measured (test/step-times.json, made by
 * test/step-times.ts on WebAssembly, two cores that others used too). Oracle: the measured time of the whole step.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { rowsToTime, stepSeconds, type TimedRows } from "./step-time.ts";

const measured = JSON.parse(readFileSync(new URL("../../test/step-times.json", import.meta.url), "utf8")) as readonly {
  readonly backend: string;
  readonly size: string;
  readonly optimizer: string;
  readonly length: number;
  readonly timed: readonly TimedRows[];
}[];

/** The times that the rule asks for, from a measured curve. A number of rows between two measured ones is on a line. */
function foretold(rows: number, curve: readonly TimedRows[]): { readonly seconds: number; readonly cost: number } {
  const at = (wanted: number): number => {
    const above = curve.findIndex((each) => each.rows >= wanted);
    const [b, a] = [curve[above] as TimedRows, curve[Math.max(0, above - 1)] as TimedRows];
    return b.rows === wanted
      ? b.seconds
      : a.seconds + ((b.seconds - a.seconds) * (wanted - a.rows)) / (b.rows - a.rows);
  };
  const timed: TimedRows[] = [];
  for (let next = rowsToTime(rows, timed); next !== undefined; next = rowsToTime(rows, timed))
    timed.push({ rows: next, seconds: at(next) });
  return { seconds: stepSeconds(rows, timed), cost: timed.reduce((sum, { seconds }) => sum + seconds, 0) };
}

describe("the time of a step", () => {
  it.each(measured)("is foretold within a factor of 2: $backend, $size, $optimizer, $length tokens", ({ timed }) => {
    for (const { rows, seconds } of timed) {
      const ratio = foretold(rows, timed).seconds / seconds;
      expect(ratio).toBeGreaterThan(1 / 2);
      expect(ratio).toBeLessThan(2);
    }
  });

  it("is timed with few rows where a step takes long", () => {
    const slow = [1, 2, 64, 128].map((rows) => ({ rows, seconds: 0.5 + 1.5 * rows }));
    expect(foretold(128, slow)).toEqual({ seconds: 192.5, cost: 5.5 });
    expect(rowsToTime(1, [{ rows: 1, seconds: 9 }])).toBeUndefined();
  });
});
