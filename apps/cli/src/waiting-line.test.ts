import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { namesInWords, waitingLine, whileWaiting } from "./waiting-line.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function terminal(columns?: number) {
  let text = "";
  const stream = {
    isTTY: true,
    ...(columns !== undefined && { columns }),
    write: (part: string) => {
      text += part;
    },
  };
  /** The line as the screen shows it. */
  const screen = (): string =>
    text
      .split("\r")
      .reduce((shown, part) => part + shown.slice(part.length), "")
      .trimEnd();
  return { stream, screen, raw: () => text };
}
const clock = (): number => Date.now() / 1000;

test("a terminal shows what is done now, and after a while how long it takes", () => {
  const { stream, screen, raw } = terminal();
  const line = waitingLine(stream, false, clock);
  line.say("reading a-file-with-a-long-name.fasta");
  expect(screen()).toBe("reading a-file-with-a-long-name.fasta");
  vi.advanceTimersByTime(1000);
  expect(screen()).toBe("reading a-file-with-a-long-name.fasta");
  vi.advanceTimersByTime(11_000);
  expect(screen()).toBe("reading a-file-with-a-long-name.fasta  12 s");
  line.say("compiling");
  expect(screen()).toBe("compiling");
  vi.advanceTimersByTime(3000);
  expect(screen()).toBe("compiling  3 s");
  line.finish();
  expect(screen()).toBe("");
  const before = raw();
  vi.advanceTimersByTime(10_000);
  line.finish();
  expect(raw()).toBe(before);
});

test("it fits the columns", () => {
  const { stream, screen, raw } = terminal(20);
  const line = waitingLine(stream, false, clock);
  line.say("reading a-file-with-a-long-name.fasta");
  vi.advanceTimersByTime(5000);
  expect(screen()).toBe("reading a-file  5 s");
  for (const draw of raw().split("\r")) expect(draw.length).toBeLessThan(20);
});

test("a pipe, and --json, get nothing", () => {
  const { stream, raw } = terminal();
  for (const line of [waitingLine({ ...stream, isTTY: false }, false), waitingLine(stream, true)]) {
    line.say("reading");
    vi.advanceTimersByTime(20_000);
    line.finish();
  }
  expect(raw()).toBe("");
});

test("an error leaves a clear line", async () => {
  const { stream, screen } = terminal();
  const failing = whileWaiting(stream, false, async (waiting) => {
    waiting.say("reading");
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(screen()).toBe("");
});

test("names of files", () => {
  expect(namesInWords(["data/a.fasta"])).toBe("a.fasta");
  expect(namesInWords(["a.fasta", "b.fasta", "c"])).toBe("a.fasta and 2 more");
});
