import { afterEach, expect, test, vi } from "vitest";
import { UnsupportedError } from "@cloze/errors";

afterEach(() => {
  vi.doUnmock("onnxruntime-node");
  vi.resetModules();
});

test("where the engine is, its version is told", async () => {
  const { probe } = await import("../src/probe.ts");
  const found = await probe();
  expect(found).toMatchObject({
    available: true,
    device: expect.stringMatching(/^CPU, \d+ threads?$/),
    details: { onnxruntime: expect.stringMatching(/^1\.\d+/) },
  });
});

test("where the engine is not, the reason and the remedy are", async () => {
  vi.doMock("onnxruntime-node", () => {
    throw new Error("Cannot find package 'onnxruntime-node'");
  });
  const { probe } = await import("../src/probe.ts");
  const { loadRuntime } = await import("../src/runtime.ts");
  expect(await probe()).toMatchObject({
    available: false,
    reason: expect.stringContaining("onnxruntime-node did not load"),
    remedy: expect.stringContaining("npm install onnxruntime-node"),
  });
  const error = await loadRuntime().then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(UnsupportedError.isInstance(error)).toBe(true);
});
