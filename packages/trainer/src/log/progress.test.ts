import { describe, expect, test } from "vitest";
import { formatProgress, ProgressWriter, type ProgressState, type ProgressStream } from "./progress.ts";

const state: ProgressState = { step: 4200, steps: 10_000, loss: 2.41267, tokensPerSecond: 51_200, remaining: 192 };

describe("formatProgress", () => {
  test.each([
    [120, "[===========>                ]   42%  step 4,200/10,000  loss 2.413  51.2k tok/s  ETA 3m 12s"],
    [79, "[======>        ]   42%  step 4,200/10,000  loss 2.413  51.2k tok/s  ETA 3m 12s"],
    [70, " 42%  step 4,200/10,000  loss 2.413  51.2k tok/s  ETA 3m 12s"],
    [50, " 42%  step 4,200/10,000  loss 2.413  ETA 3m 12s"],
    [40, " 42%  step 4,200/10,000  loss 2.413"],
    [24, " 42%  step 4,200/10,000"],
    [20, "step 4,200/10,000"],
    [6, "step 4"],
  ])("at %d columns", (columns, line) => expect(formatProgress(state, columns)).toBe(line));

  test("of its own example", () => {
    const line = formatProgress({ step: 5, steps: 10, loss: 2.5, remaining: 61 }, 60);
    expect(line).toBe("[========>        ]   50%  step 5/10  loss 2.500  ETA 1m 01s");
  });

  test("never exceeds the columns, whatever it is given", () => {
    const states: ProgressState[] = [
      state,
      { step: 0 },
      { step: 0, steps: 0, loss: NaN, remaining: Infinity },
      { step: 1e15, steps: 1e15, loss: 1e300, tokensPerSecond: 1e18, remaining: 1e9 },
      { step: 7, fraction: 0.3, remaining: 5 },
      { step: 20, steps: 10 },
      { step: 3, fraction: NaN },
      { step: 3, fraction: -1 },
    ];
    for (const each of states)
      for (let columns = 0; columns <= 140; columns++)
        expect(formatProgress(each, columns).length).toBeLessThanOrEqual(columns);
  });

  test("100% and a full bar are said only at the end", () => {
    expect(formatProgress({ step: 9999, steps: 10_000 }, 60)).toBe(
      "[===========================>]   99%  step 9,999/10,000",
    );
    expect(formatProgress({ step: 10_000, steps: 10_000 }, 60)).toBe(
      "[============================]  100%  step 10,000/10,000",
    );
    expect(formatProgress({ step: 29, steps: 100 }, 20)).toBe(" 29%  step 29/100");
  });

  test("a run without a last step", () => {
    expect(formatProgress({ step: 12, loss: 3 }, 80)).toBe("step 12  loss 3.000");
    expect(formatProgress({ step: 12, fraction: 0.5 }, 30)).toBe("[======>      ]   50%  step 12");
  });
});

/** A stream that records its text, a clock that the test sets, and the contents of the terminal's screen. */
function terminal(tty: { readonly columns?: number } | undefined) {
  let text = "";
  let seconds = 0;
  const stream: ProgressStream = { write: (part: string) => (text += part), ...(tty ? { isTTY: true, ...tty } : {}) };
  const writer = new ProgressWriter(stream, { now: () => seconds });
  const screen = (): string[] =>
    text.split("\n").map((line) =>
      line
        .split("\r")
        .reduce((shown, part) => part + shown.slice(part.length), "")
        .trimEnd(),
    );
  return { writer, screen, raw: () => text, at: (time: number) => void (seconds = time) };
}

describe("ProgressWriter on a TTY", () => {
  test("redraws one line within the width, ten times a second at most", () => {
    const { writer, raw, screen, at } = terminal({ columns: 60 });
    for (let step = 0; step <= 100; step++) {
      at(step / 100);
      writer.update({ step, steps: 100, loss: 2 + step });
    }
    const draws = raw().split("\r").slice(1);
    expect(draws.length).toBeLessThanOrEqual(11);
    for (const draw of draws) expect(draw.length).toBeLessThan(60);
    writer.finish();
    expect(screen()).toEqual(["[=========================]  100%  step 100/100  loss 102.0", ""]);
  });

  test("a shorter line leaves nothing of the longer one, a message stands above", () => {
    const { writer, screen, at } = terminal({});
    writer.update({ step: 1_000_000 });
    at(1);
    writer.update({ step: 7 });
    expect(screen()).toEqual(["step 7"]);
    writer.print("saved");
    expect(screen()).toEqual(["saved", "step 7"]);
    writer.finish();
    writer.finish();
    expect(screen()).toEqual(["saved", "step 7", ""]);
  });
});

describe("ProgressWriter in a pipe", () => {
  test("plain lines: the first, every 10 s, ever fewer, the last", () => {
    const { writer, screen, at } = terminal(undefined);
    for (let second = 0; second <= 3600; second++) {
      at(second);
      writer.update({ step: second, steps: 3600, loss: 2.5, tokensPerSecond: 1000, remaining: 3600 - second });
    }
    writer.finish();
    const lines = screen();
    expect(lines.slice(0, 3)).toEqual([
      "step 0/3,600  0%  loss 2.500  1.00k tok/s  ETA 1h 00m",
      "step 10/3,600  0%  loss 2.500  1.00k tok/s  ETA 59m 50s",
      "step 20/3,600  0%  loss 2.500  1.00k tok/s  ETA 59m 40s",
    ]);
    expect(lines.at(-2)).toBe("step 3,600/3,600  100%  loss 2.500  1.00k tok/s  ETA 0.0s");
    expect(lines.length).toBeLessThan(90);
    expect(lines.at(-1)).toBe("");
  });

  test("messages are lines of their own", () => {
    const { writer, raw } = terminal(undefined);
    writer.print("hello");
    writer.finish();
    expect(raw()).toBe("hello\n");
  });
});
