import { describe, expect, it } from "vitest";
import { coverage, windowsOf } from "./windows.ts";

describe("windowsOf", () => {
  it("is one window where all fits", () => {
    expect(windowsOf(8, 8)).toEqual([{ start: 0, stop: 8 }]);
    expect(windowsOf(0, 8)).toEqual([{ start: 0, stop: 0 }]);
  });

  it("covers every place, each window full, at least a quarter shared with the next", () => {
    for (let size = 1; size < 20; size++) {
      for (let length = size + 1; length < 200; length++) {
        const windows = windowsOf(length, size);
        const counts = coverage(windows, length);
        const full = windows.every(({ start, stop }) => stop - start === size);
        const shared = windows
          .slice(1)
          .every(({ start }, i) => (windows[i]?.stop ?? 0) - start >= Math.floor(size / 4));
        expect([counts.every((count) => count >= 1), windows[0]?.start, windows.at(-1)?.stop, full, shared]).toEqual([
          true,
          0,
          length,
          true,
          true,
        ]);
      }
    }
  });
});
