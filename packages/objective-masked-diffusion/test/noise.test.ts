import { describe, expect, it } from "vitest";
import { NOISE, type NoiseSchedule } from "../src/index.ts";

describe.each(Object.keys(NOISE) as NoiseSchedule[])("the %s schedule", (name) => {
  const { share, weight, mean } = NOISE[name];

  it("goes from nothing masked to everything", () => {
    expect([share(0), share(1)]).toEqual([0, 1]);
  });

  it("weighs by the logarithmic derivative of its share", () => {
    for (const t of [0.01, 0.2, 0.5, 0.77, 0.99])
      expect(weight(t)).toBeCloseTo((Math.log(share(t + 1e-6)) - Math.log(share(t - 1e-6))) / 2e-6, 4);
  });

  it("masks as much in the mean as it says", () => {
    const steps = 10_000;
    const sum = Array.from({ length: steps }, (_, i) => share((i + 0.5) / steps)).reduce((n, p) => n + p, 0);
    expect(sum / steps).toBeCloseTo(mean, 7);
  });
});
