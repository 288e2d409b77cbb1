import { expect, test } from "vitest";
import { statusLine } from "./status-line.ts";

function drawn(
  isTTY: boolean,
  columns: number,
  states: readonly (readonly [time: number, fraction: number, text: string])[],
): string {
  let text = "";
  let now = 0;
  const line = statusLine(
    {
      write: (more) => {
        text += more;
      },
      isTTY,
      columns,
    },
    () => now,
  );
  for (const [time, fraction, what] of states) {
    now = time;
    line.update(fraction, what);
  }
  line.finish();
  return text;
}

test("a terminal: redrawn in place, cleared at the end, at most ten times a second", () => {
  const text = drawn(true, 80, [
    [0, 0, "long name"],
    [0.05, 0.2, "too soon"],
    [1, 0.5, "name"],
  ]);
  expect(text).toBe(
    `\r[>                       ]    0%  long name\r[============>           ]   50%  name     \r${" ".repeat(38)}\r`,
  );
});

test("never wider than the terminal", () => {
  for (const columns of [1, 10, 20, 40]) {
    for (const part of drawn(true, columns, [[0, 1, "a long text, longer than what there is"]]).split("\r"))
      expect(part.length).toBeLessThan(Math.max(2, columns));
  }
});

test("a pipe: plain lines, every ten seconds", () => {
  expect(
    drawn(false, 80, [
      [1, 0.1, "a"],
      [11, 0.5, "b"],
      [12, 0.6, "c"],
      [22, 1, "d"],
    ]),
  ).toBe("50%  b\n100%  d\n");
});
