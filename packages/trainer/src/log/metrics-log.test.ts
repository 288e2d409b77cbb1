import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, FormatError } from "@cloze/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  formatMetricsRow,
  MetricsLog,
  parseMetrics,
  readMetrics,
  withoutTime,
  type MetricsRow,
} from "./metrics-log.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "metrics-log-"));
  path = join(folder, "metrics.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

/**
 * Rows of a run: a train line for every step, an eval line for every third step, and clock readings that never repeat.
 */
let clock = 0;
function rowsOf(from: number, to: number): MetricsRow[] {
  const rows: MetricsRow[] = [];
  for (let step = from; step <= to; step++) {
    rows.push({
      type: "train",
      step,
      tokens: step * 512,
      loss: 3 / (step + 1),
      lr: 1e-3 / 3,
      gradNorm: Math.sqrt(step),
      time: { elapsed: ++clock },
    });
    if (step % 3 === 0)
      rows.push({
        type: "eval",
        step,
        tokens: step * 512,
        loss: 2 / (step + 1),
        accuracy: 0.1 * step,
        time: { elapsed: ++clock },
      });
  }
  return rows;
}

function record(rows: readonly MetricsRow[], resumeAfter?: number): MetricsLog["dropped"] {
  const log = new MetricsLog(path, resumeAfter === undefined ? {} : { resumeAfter });
  for (const row of rows) log.write(row);
  log.close();
  return log.dropped;
}

const deterministic = (): string[] => readMetrics(path).rows.map(withoutTime);

describe("writing", () => {
  test("one object a line, time last, the rest in the order given", () => {
    const log = new MetricsLog(path);
    log.write({
      time: { tokensPerSecond: 9 },
      lr: 3e-4,
      loss: 2.5,
      tokens: 8,
      step: 1,
      type: "train",
      gradNorm: 0.5,
      note: "a\nb",
    });
    log.flush();
    expect(readFileSync(path, "utf8")).toBe(
      '{"type":"train","step":1,"tokens":8,"loss":2.5,"lr":0.0003,"gradNorm":0.5,"note":"a\\nb",' +
        '"time":{"tokensPerSecond":9}}\n',
    );
    expect(log.lastStep).toBe(1);
    log.close();
    log.close();
    expect(() => log.write({ type: "train", step: 2, tokens: 0, loss: 0 })).toThrow(/after close/);
  });

  test("rows come back as they were, also NaN and Infinity", () => {
    const rows: MetricsRow[] = [
      ...rowsOf(0, 7),
      {
        type: "eval",
        step: 8,
        tokens: 9,
        loss: NaN,
        gradNorm: Infinity,
        worst: -Infinity,
        ok: false,
        time: { at: "noon" },
      },
    ];
    record(rows);
    expect(readMetrics(path)).toEqual({ rows, torn: undefined });
  });

  test("withoutTime is the line less its last key", () => {
    const row: MetricsRow = { type: "train", step: 1, tokens: 2, loss: 3, time: { elapsed: 4 } };
    expect(withoutTime(row)).toBe('{"type":"train","step":1,"tokens":2,"loss":3}');
    expect(formatMetricsRow(row)).toBe(withoutTime(row).slice(0, -1) + ',"time":{"elapsed":4}}');
  });

  test("an old file is never overwritten, a step never goes back", () => {
    record(rowsOf(1, 2));
    expect(() => new MetricsLog(path)).toThrow(/expected no .*metrics\.jsonl yet, got a file of \d+ bytes/);
    const log = new MetricsLog(path, { resumeAfter: 2 });
    expect(() => log.write({ type: "train", step: 1, tokens: 0, loss: 0 })).toThrow(/step >= 2, got 1/);
    expect(() => log.write({ type: "train", step: 2.5, tokens: 0, loss: 0 })).toThrow(
      /whole number >= 0 as step, got 2.5/,
    );
    log.close();
    expect(() => new MetricsLog(path, { resumeAfter: -1 })).toThrow(ConfigError);
    expect(readMetrics(path).rows.length).toBe(2);
  });
});

// allow skip: only Linux has a device that is always full.
test.runIf(existsSync("/dev/full"))("after a failed write nothing more is written", () => {
  const log = new MetricsLog("/dev/full");
  expect(() => log.write({ type: "train", step: 1, tokens: 0, loss: 0 })).toThrow(/ENOSPC/);
  expect(() => log.write({ type: "train", step: 1, tokens: 0, loss: 0 })).toThrow(/after close/);
});

describe("resuming", () => {
  test("after a kill at any byte, the resumed file equals the unbroken one but for time", () => {
    record(rowsOf(0, 10));
    const whole = deterministic();
    const bytes = readFileSync(path);
    const afterFour = bytes.indexOf('{"type":"train","step":5');
    for (let cut = afterFour; cut <= bytes.length; cut++) {
      writeFileSync(path, bytes);
      truncateSync(path, cut);
      record(rowsOf(5, 10), 4);
      expect(deterministic()).toEqual(whole);
      expect(readFileSync(path).subarray(0, afterFour).equals(bytes.subarray(0, afterFour))).toBe(true);
    }
  });

  test("says what it dropped", () => {
    record(rowsOf(0, 6));
    appendFileSync(path, '{"type":"tra');
    expect(record([], 3)).toEqual({ lines: 4, torn: '{"type":"tra' });
    expect(record([], 3)).toEqual({ lines: 0, torn: undefined });
    expect(new MetricsLog(path, { resumeAfter: 100 }).lastStep).toBe(3);
  });

  test("from step 0, from an empty file, from none", () => {
    record(rowsOf(0, 3));
    record([], 0);
    expect(readMetrics(path).rows.map((row) => row.type)).toEqual(["train", "eval"]);
    writeFileSync(path, "");
    expect(record(rowsOf(1, 2), 0)).toEqual({ lines: 0, torn: undefined });
    rmSync(path);
    record(rowsOf(1, 2), 5);
    expect(readMetrics(path).rows.length).toBe(2);
  });

  test("a broken line in the middle stops it and leaves the file alone", () => {
    writeFileSync(
      path,
      '{"type":"train","step":1,"tokens":1,"loss":1}\nhalf a li\n{"type":"train","step":9,"tokens":1,"loss":1}\n',
    );
    const before = readFileSync(path);
    expect(() => new MetricsLog(path, { resumeAfter: 1 })).toThrow(FormatError);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

describe("reading tolerates nothing silently", () => {
  const good = '{"type":"train","step":3,"tokens":1,"loss":1}';
  const read = (text: string | Uint8Array): unknown => parseMetrics(Buffer.from(text as string), "m.jsonl");

  test("a torn last line is reported", () => {
    expect(read(`${good}\n{"type":"train","st`)).toEqual({ rows: [JSON.parse(good)], torn: '{"type":"train","st' });
    expect(read("")).toEqual({ rows: [], torn: undefined });
    expect(read("\0\0\0")).toEqual({ rows: [], torn: "\0\0\0" });
  });

  test.each([
    ["not JSON", "{oops", 'line 2: expected a JSON object, got "{oops"'],
    ["an empty line", "", 'line 2: expected a JSON object, got ""'],
    ["a list", "[1]", "line 2: expected a JSON object, got [1]"],
    ["null", "null", "line 2: expected a JSON object, got null"],
    ["another type", '{"type":"test"}', 'line 2: expected type "train" or "eval", got "test"'],
    ["no step", '{"type":"train","tokens":1,"loss":1}', "line 2: expected a whole number >= 0 as step, got undefined"],
    [
      "half a step",
      '{"type":"train","step":3.5,"tokens":1,"loss":1}',
      "line 2: expected a whole number >= 0 as step, got 3.5",
    ],
    ["no loss", '{"type":"train","step":3,"tokens":1,"loss":null}', "line 2: expected a number as loss, got null"],
    [
      "a worded rate",
      '{"type":"train","step":3,"tokens":1,"loss":1,"lr":"low"}',
      'line 2: expected a number as lr, got "low"',
    ],
    [
      "a bare time",
      '{"type":"train","step":3,"tokens":1,"loss":1,"time":5}',
      "line 2: expected an object as time, got 5",
    ],
    ["a step back", '{"type":"train","step":2,"tokens":1,"loss":1}', "line 2: expected a step >= 3, got 2"],
    ["a long line", "x".repeat(200), `line 2: expected a JSON object, got "${"x".repeat(80)}…"`],
  ])("%s", (_, line, message) => expect(() => read(`${good}\n${line}\n${good}\n`)).toThrow(`m.jsonl, ${message}`));

  test("bytes that are no UTF-8, a byte order mark", () => {
    expect(() => read(Buffer.from([0xff, 0x0a]))).toThrow(/line 1: expected a JSON object/);
    expect(() => read(`\ufeff${good}\n`)).toThrow(/line 1: expected a JSON object/);
  });
});
