/**
 * The choice of the engine, with the words of real adapters. Oracle: what each adapter computes on, as its vendor says.
 */
import { describe, expect, it } from "vitest";
import { available, unavailable } from "@cloze/backend";
import { afterWasmFailed, chooseDevice } from "./device-choice.ts";

const gpu = available("NVIDIA GeForce RTX 3060");
const software = available("swiftshader", {}, { lastResort: "swiftshader computes on the CPU" });
const none = unavailable("this browser has no WebGPU", "Use a browser with WebGPU.");

describe("the choice of the engine", () => {
  it("is a GPU, then WebAssembly, and never software WebGPU unless it is asked for", () => {
    expect(chooseDevice("auto", gpu)).toEqual({ kind: "webgpu", reason: "", remedy: "" });
    expect(chooseDevice("auto", software)).toMatchObject({
      kind: "wasm",
      reason: expect.stringContaining("swiftshader computes on the CPU") as string,
      remedy: expect.stringContaining("?device=webgpu") as string,
    });
    expect(chooseDevice("auto", none)).toEqual({
      kind: "wasm",
      reason: "this browser has no WebGPU",
      remedy: "Use a browser with WebGPU.",
    });
  });

  it("follows the address, and says what it does", () => {
    for (const probe of [gpu, software, none])
      expect(chooseDevice("wasm", probe)).toMatchObject({
        kind: "wasm",
        reason: expect.stringContaining("?device=wasm") as string,
      });
    expect(chooseDevice("webgpu", gpu)).toEqual({ kind: "webgpu", reason: "", remedy: "" });
    expect(chooseDevice("webgpu", software)).toMatchObject({
      kind: "webgpu",
      reason: expect.stringContaining("swiftshader computes on the CPU") as string,
    });
    expect(chooseDevice("webgpu", none)).toMatchObject({ kind: "wasm", reason: "this browser has no WebGPU" });
  });

  it("takes the adapter that it passed over where WebAssembly fails", () => {
    expect(afterWasmFailed(software, "no memory")).toMatchObject({
      kind: "webgpu",
      reason: expect.stringContaining("no memory") as string,
    });
    expect(afterWasmFailed(none, "no memory")).toBeUndefined();
  });
});
