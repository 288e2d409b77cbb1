// Devices: an adapter's description becomes a profile, notes give the reasons for features that are off, and errors
// give the remedy where nothing can run.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { numberToFloat16 } from "@cloze/graph";
import { onDevice } from "../../test/adapter.ts";
import { familyOf, deviceName, profileOf, type Limits } from "./device-profile.ts";
import { openDevice } from "./device.ts";
import { checkF16, judgeF16 } from "./f16-check.ts";
import { isNotHere, noAdapter } from "./gpu.ts";
import { probe } from "./probe.ts";
import { cutsOf, guessMs } from "./slices.ts";

const words = (
  vendor: string,
  architecture: string,
  device: string,
  description: string,
): Parameters<typeof familyOf>[0] => ({ vendor, architecture, device, description });

describe("a profile", () => {
  test.each([
    [words("nvidia", "hopper", "nvidia-h200", "NVIDIA H200"), "nvidia", "NVIDIA H200"],
    [words("amd", "rdna-3", "", "AMD Radeon RX 7900 XTX (RADV NAVI31)"), "amd", "AMD Radeon RX 7900 XTX (RADV NAVI31)"],
    [words("intel", "xe-2hpg", "", ""), "intel", "intel xe-2hpg"],
    [words("apple", "metal-3", "", ""), "apple", "apple metal-3"],
    [words("qualcomm", "adreno-7xx", "", ""), "mobile", "qualcomm adreno-7xx"],
    [words("arm", "valhall", "", ""), "mobile", "arm valhall"],
    [
      words("mesa", "software", "llvmpipe-llvm-15-0-6-256-bits-", "llvmpipe: Mesa 25.0.7"),
      "software",
      "llvmpipe: Mesa 25.0.7",
    ],
    [
      words("google", "swiftshader", "swiftshader-device-subzero-", "SwiftShader driver 5.0.0"),
      "software",
      "SwiftShader driver 5.0.0",
    ],
    [words("", "", "", ""), "unknown", "a GPU that does not tell its name"],
  ])("knows %o", (info, family, name) => {
    expect([familyOf(info), deviceName(info)]).toEqual([family, name]);
  });

  test("holds limits in whole words, and subgroups only with their sizes", () => {
    const limits: Limits = {
      maxBufferSize: 2 ** 32 - 1,
      maxStorageBufferBindingSize: 2 ** 31 - 4,
      maxStorageBuffersPerShaderStage: 16,
      minStorageBufferOffsetAlignment: 32,
      maxComputeWorkgroupStorageSize: 49152,
      maxComputeInvocationsPerWorkgroup: 1024,
      maxComputeWorkgroupSizeX: 1024,
      maxComputeWorkgroupSizeY: 1024,
      maxComputeWorkgroupSizeZ: 64,
      maxComputeWorkgroupsPerDimension: 65535,
    };
    const info = { ...words("nvidia", "", "", "NVIDIA H200"), subgroupMinSize: 32, subgroupMaxSize: 32 };
    const config = { component: "f16", result: "f32", m: 16, n: 16, k: 16 } as const;
    const facts = { info, limits, features: new Set(["subgroups"]), f16: true, subgroupMatrix: [config] };
    expect(profileOf(facts)).toMatchObject({
      family: "nvidia",
      f16: true,
      subgroups: { min: 32, max: 32 },
      subgroupMatrix: [config],
      limits: { bufferBytes: 2 ** 32 - 4, bindingBytes: 2 ** 31 - 4, offsetAlignment: 32 },
    });
    expect(profileOf({ ...facts, features: new Set() })).toMatchObject({ subgroups: undefined, subgroupMatrix: [] });
    expect(profileOf({ ...facts, info: words("nvidia", "", "", "") }).subgroups).toBeUndefined();
  });
});

describe("a device", () => {
  onDevice(
    "has the adapter's own limits, and says of each thing whether it is on",
    async ({ profile, notes, device }) => {
      expect(profile.limits.storageBuffers).toBeGreaterThanOrEqual(8);
      expect(profile.limits.bindingBytes).toBe(device.limits.maxStorageBufferBindingSize);
      expect(Object.keys(notes)).toEqual(["kind", "f16", "subgroups", "matrix units", "limits"]);
      expect(notes["f16"]).toMatch(profile.f16 ? /^on$/ : /^off: /);
      expect(notes["subgroups"]).toMatch(profile.subgroups === undefined ? /^off: / : /^of \d/);
    },
    {},
  );

  onDevice(
    "does without what is not asked for",
    async ({ profile, notes }) => {
      expect(profile).toMatchObject({ f16: false, subgroups: undefined, subgroupMatrix: [] });
      expect(notes).toMatchObject({ f16: "off: not asked for", subgroups: "off: not asked for" });
    },
    { f16: false, subgroups: false, subgroupMatrix: true },
  );

  onDevice("of the caller's is used as it is and stays open", async ({ device }) => {
    const again = await openDevice({ device, f16: false });
    if (isNotHere(again)) throw new Error(again.reason);
    again.close();
    await device.queue.onSubmittedWorkDone();
    expect(await checkF16(device)).toMatch(/^its kernel (is refused|does not run)/); // the device lacks shader-f16
  });
});

describe("16-bit floats", () => {
  /** Judges the results of a correct device after `spoil` changed them. */
  function given(spoil: (halves: Uint16Array, quads: Uint16Array, results: Float32Array) => void): string | undefined {
    const numbers = Float32Array.from({ length: 64 }, (_, i) => (i - 20) * 37);
    const bytes = new ArrayBuffer(1024);
    const halves = new Uint16Array(bytes, 0, 64);
    const quads = new Uint16Array(bytes, 128, 64);
    const results = new Float32Array(bytes, 256, 192);
    let sum = 0;
    numbers.forEach((x, i) => {
      halves[i] = numberToFloat16(x);
      quads[(i & ~3) + 3 - (i & 3)] = numberToFloat16(x);
      results[i] = x;
      results[64 + i] = sum += x * x;
      results[128 + i] = Math.exp(i / 8);
    });
    spoil(halves, quads, results);
    return judgeF16(numbers, bytes);
  }

  test("are right, or the check says what is wrong", () => {
    expect(given(() => undefined)).toBeUndefined();
    expect(
      given((halves) => {
        halves[3] = 0x7c00;
      }),
    ).toBe("f16(-629) is Infinity");
    expect(
      given((_, quads) => {
        quads[5] = 0;
      }),
    ).toBe("a vec4 of f16 holds other bits at 6 than were stored");
    expect(
      given((_, __, results) => {
        results[64 + 40] = Infinity;
      }),
    ).toMatch(/^a sum of 41 products in f32 is Infinity, expected \d+$/);
    expect(
      given((_, __, results) => {
        results[128 + 63] = 65504;
      }),
    ).toMatch(/^exp\(7.875\) in f16 is 65504, expected 2630/);
  });
});

describe("where there is nothing", () => {
  test("no package: its name and how to install it", async () => {
    const found = await openDevice({ dawn: "webgpu-that-nobody-installed" } as Parameters<typeof openDevice>[0]);
    expect(found).toEqual({
      available: false,
      reason: "the package webgpu-that-nobody-installed is not installed",
      remedy: "Install it beside this package: npm install webgpu-that-nobody-installed@0.6.",
    });
  });

  test("no driver: a remedy for each system; the process lives", async () => {
    for (const host of ["dawn", "browser"] as const)
      expect(noAdapter(host)).toMatchObject({
        available: false,
        reason: expect.stringMatching(/\w/),
        remedy: expect.stringMatching(/\w/),
      });
    const here = new URL("./probe.ts", import.meta.url).href;
    const script =
      `const { probe } = await import(${JSON.stringify(here)}); ` + "console.log(JSON.stringify(await probe()));";
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "--conditions=@cloze/source", "--input-type=module", "-e", script],
      { env: { ...process.env, VK_DRIVER_FILES: "/nothing/here.json" }, timeout: 30_000 },
    );
    if (process.platform === "linux") expect(JSON.parse(stdout)).toEqual(noAdapter("dawn"));
  });

  test("a probe of a caller's adapter that fails is an answer", async () => {
    const info = words("nvidia", "", "", "NVIDIA H200");
    const adapter = {
      info,
      features: new Set<string>(),
      limits: {},
      requestDevice: () => Promise.reject(new Error("out of memory\nat line 7")),
    };
    expect(await probe({ adapter: adapter as object as GPUAdapter })).toMatchObject({
      available: false,
      reason: "NVIDIA H200 gives no device (out of memory)",
    });
  });
});

test("submits are cut where they would take longer than a slice", () => {
  expect(cutsOf([1, 1, 1, 1, 1], 2)).toEqual([2, 4]);
  expect(cutsOf([5, 1, 1, 9, 1], 2)).toEqual([1, 3, 4]);
  expect(cutsOf([], 2)).toEqual([]);
  expect(cutsOf([1, 1], 250)).toEqual([]);
  expect(guessMs("software", { flops: 1e9, bytes: 0 })).toBeGreaterThan(
    100 * guessMs("nvidia", { flops: 1e9, bytes: 0 }),
  );
});
