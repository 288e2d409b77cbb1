import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { knownDevice, KNOWN_DEVICES } from "./device-peaks.ts";
import { costLines, deviceCosts, dollars, flopsOfSequences, runCosts, timedCosts } from "./run-costs.ts";

const dir = mkdtempSync(join(tmpdir(), "cloze-costs-"));
const path = (name: string): string => join(dir, name);
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const none = { price: undefined, prices: undefined, peakTflops: undefined };
const asked = { flopsPerToken: 1e9, precision: "f32" } as const;

describe("known devices", () => {
  it.each([
    ["NVIDIA H200", "H200"],
    ["NVIDIA GH200 480GB", "H200"],
    ["NVIDIA H100 80GB HBM3", "H100"],
    ["NVIDIA H100 PCIe", "H100 PCIe"],
    ["NVIDIA A100-SXM4-80GB", "A100"],
    ["NVIDIA A10", "A10"],
    ["Tesla T4", "T4"],
    ["NVIDIA L4", "L4"],
    ["NVIDIA L40S", "L40S"],
    ["NVIDIA GeForce RTX 4090", "RTX 4090"],
    ["H200", "H200"],
  ])("%s is %s", (device, name) => expect(knownDevice(device)?.name).toBe(name));

  it.each(["CPU, 2 threads", "NVIDIA A10G", "NVIDIA L40", "NVIDIA GeForce RTX 3090 Ti", "Apple M2"])(
    "%s is none of them",
    (device) => expect(knownDevice(device)).toBeUndefined(),
  );

  it("multiply 16 bits no slower than 32, and have a source", () => {
    for (const {
      peaks: { f32, tf32 = f32, f16 = tf32 },
      source,
    } of KNOWN_DEVICES) {
      expect(tf32).toBeGreaterThanOrEqual(f32);
      expect(f16).toBeGreaterThanOrEqual(tf32);
      expect(source).not.toBe("");
    }
  });
});

describe("costs", () => {
  it("are shares of the peak of what is multiplied, and dollars by the hour", async () => {
    const costs = await deviceCosts(
      { ...asked, device: "NVIDIA H200", precision: "bf16" },
      { ...none, price: 3 },
      path,
    );
    expect(costs.peak).toBe(989.4e12);
    expect(timedCosts(costs)({ tokensPerSecond: 98_940, elapsed: 1200 })).toEqual({ mfu: 0.1, dollars: 1 });
    const spent = runCosts(costs, { tokens: 5, tokensPerSecond: 98_940, seconds: 1200 });
    expect(spent).toEqual({ flopsPerToken: 1e9, flops: 5e9, flopsPerSecond: 98.94e12, mfu: 0.1, dollars: 1 });
    expect(costLines(costs, spent, 1200)).toEqual([
      ["compute", "1.00 GFLOPs a token, 5.00 GFLOPs in all, 98.9 TFLOPs a second"],
      ["MFU", "10.0 % of 989.4 TFLOPS (H200, bf16)"],
      ["cost", "$1.00: 20m 00s at $3.00 an hour"],
    ]);
  });

  it("are not guessed: of a processor, of a unit that a GPU has not", async () => {
    const cpu = await deviceCosts({ ...asked, device: "CPU, 2 threads" }, none, path);
    const spent = runCosts(cpu, { tokens: 5, tokensPerSecond: 1, seconds: 5 });
    expect(costLines(cpu, spent, 5).map(([name]) => name)).toEqual(["compute"]);
    const gpu = await deviceCosts({ ...asked, device: "Graphics 9000" }, none, path);
    expect(costLines(gpu, runCosts(gpu, { tokens: 5, tokensPerSecond: 1, seconds: 5 }), 5)[1]).toEqual([
      "MFU",
      "unknown of Graphics 9000: no peak known; say it with --peak-tflops",
    ]);
    expect(timedCosts(cpu)({ tokensPerSecond: 1, elapsed: 1 })).toEqual({});
    expect((await deviceCosts({ ...asked, device: "Tesla T4", precision: "bf16" }, none, path)).peakIs).toBe(
      "no peak of bf16 known; say it with --peak-tflops",
    );
    expect((await deviceCosts({ ...asked, device: "CPU" }, { ...none, peakTflops: 0.5 }, path)).peak).toBe(5e11);
  });

  it("take the price of the device from a file, by the longest name that fits", async () => {
    writeFileSync(path("prices.yaml"), "H100: 2\nH100 PCIe: 1.5\nbroken: cheap\n");
    const priceOf = async (device: string): Promise<number | undefined> =>
      (await deviceCosts({ ...asked, device }, { ...none, prices: "prices.yaml" }, path)).dollarsPerHour;
    expect(await priceOf("NVIDIA H100 PCIe")).toBe(1.5);
    expect(await priceOf("NVIDIA H100 80GB HBM3")).toBe(2);
    await expect(priceOf("CPU")).rejects.toThrow(/expected a price of CPU, got those of H100 PCIe, broken, H100/);
    await expect(priceOf("broken thing")).rejects.toThrow(/dollars an hour, above 0, got "cheap"/);
    await expect(deviceCosts({ ...asked, device: "CPU" }, { ...none, prices: "missing.yaml" }, path)).rejects.toThrow(
      /got nothing there/,
    );
    await expect(
      deviceCosts({ ...asked, device: "CPU" }, { ...none, price: 1, prices: "prices.yaml" }, path),
    ).rejects.toThrow(/got both/);
  });

  it("are shown with as many digits as say something", () => {
    expect([0, 0.004321, 0.25, 0.999, 12.345].map(dollars)).toEqual(["$0.00", "$0.0043", "$0.25", "$1.00", "$12.35"]);
  });
});

it("operations of a packed row are those of its sequences, by token", () => {
  const quadratic = (seq: number): number => 100 + seq;
  expect(flopsOfSequences(quadratic, [10, 30])).toBe((10 * 110 + 30 * 130) / 40);
  expect(flopsOfSequences(quadratic, [])).toBe(0);
});
