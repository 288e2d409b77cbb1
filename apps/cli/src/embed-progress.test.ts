import { expect, test } from "vitest";
import { shortest } from "./embedding-tables.ts";
import { showEmbedProgress } from "./embed-progress.ts";
import { statusLine } from "./status-line.ts";

test("the line of embed: amount, rates, time left, within 80 columns", () => {
  let time = 100;
  let out = "";
  const stream = {
    isTTY: true,
    columns: 80,
    write: (text: string) => {
      out = text;
    },
  };
  const show = showEmbedProgress(
    statusLine(stream, () => time),
    { texts: 5500, residues: 1_575_220, noun: "residues" },
    () => time,
  );
  time = 110;
  show({ texts: 1100, residues: 315_044 });
  expect(out).toBe("\r[====>                   ]   20%  1,100/5,500  110/s  31.5k residues/s  ETA 40s");
  time = 120;
  show({ texts: 1100, residues: 1_575_220 / 2 });
  expect(out.trimEnd()).toMatch(/50% {2}1,100\/5,500 {2}55\/s {2}39\.4k residues\/s {2}ETA 20s$/);
  expect(out.length).toBeLessThanOrEqual(80);
});

// The decimals that numpy prints: str(numpy.float32(x)).
test.each([
  [0.1, "0.1"],
  [1 / 3, "0.33333334"],
  [-2.5, "-2.5"],
  [16777217, "16777216"],
  [1e-10, "1e-10"],
  [3.4028234663852886e38, "3.4028235e+38"],
  [0, "0"],
])("%f has the fewest digits that give its f32 again", (value, text) => {
  expect(shortest(Math.fround(value))).toBe(text);
});

test("any f32 comes back", () => {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  for (let i = 0, x = 1; i < 20_000; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    bits[0] = x;
    const value = float[0] as number;
    if (Number.isFinite(value)) expect(Math.fround(Number(shortest(value)))).toBe(value);
  }
});
