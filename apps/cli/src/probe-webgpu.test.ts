import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { mayHaveGpu, probeWebGpuApart } from "./probe-webgpu.ts";

const temp = mkdtempSync(join(tmpdir(), "cloze-gpu-"));
afterAll(() => rmSync(temp, { recursive: true, force: true }));

describe("whether a GPU is worth a probe", () => {
  const cases: readonly (readonly [name: string, files: readonly string[], worth: boolean])[] = [
    ["none", ["null", "snd/seq"], false],
    ["an empty dri", ["dri/by-path/x"], false],
    ["of the kernel's drivers", ["dri/renderD128"], true],
    ["NVIDIA", ["nvidia0", "nvidiactl"], true],
    ["NVIDIA's control alone", ["nvidiactl", "nvidia-uvm"], false],
    ["WSL", ["dxg"], true],
  ];
  test.each(cases)("Linux: %s", (name, files, worth) => {
    const dev = join(temp, name);
    for (const file of files) {
      mkdirSync(dirname(join(dev, file)), { recursive: true });
      writeFileSync(join(dev, file), "");
    }
    expect(mayHaveGpu("linux", dev)).toBe(worth);
  });

  test("other systems", () => {
    expect(mayHaveGpu("darwin", temp)).toBe(true);
    expect(mayHaveGpu("win32", temp)).toBe(true);
  });
});

describe("a probe in a process of its own", () => {
  test("answers as the probe in this process does", async () => {
    const { probe } = await import("@cloze/backend-webgpu");
    expect(await probeWebGpuApart()).toEqual(await probe());
  }, 60_000);

  test("a driver that ends the process, one that hangs, one that fails after the answer", async () => {
    expect(await probeWebGpuApart(10_000, ["-e", "process.kill(process.pid, 'SIGKILL')"])).toMatchObject({
      available: false,
      reason: "WebGPU fails when it is tried (it ended with SIGKILL)",
    });
    expect(await probeWebGpuApart(500, ["-e", "setTimeout(() => {}, 60000)"])).toMatchObject({
      reason: "WebGPU fails when it is tried (no answer in 0.5 s)",
    });
    const late = `console.log('{"available":true,"device":"x","details":{}}'); process.exitCode = 134`;
    expect(await probeWebGpuApart(10_000, ["-e", late])).toEqual({ available: true, device: "x", details: {} });
  });
});
