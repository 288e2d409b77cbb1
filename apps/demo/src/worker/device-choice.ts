/**
 * The rule that chooses the engine. A GPU comes first, then WebAssembly. An adapter that computes on the processor
 * (SwiftShader, llvmpipe, a fallback adapter) is slower than WebAssembly, so it is taken only on request, or where
 * WebAssembly does not work.
 */
import type { Probe } from "@cloze/backend";
import type { DeviceKind } from "../protocol.ts";

/** The request of the address: `?device=wasm`, `?device=webgpu`, or none. */
export const DEVICES_ASKED = ["auto", "wasm", "webgpu"] as const;
export type DeviceAsked = (typeof DEVICES_ASKED)[number];

export interface DeviceChoice {
  readonly kind: DeviceKind;
  /** Why it is this engine and not the one that the visitor may expect. "" where nothing needs a reason. */
  readonly reason: string;
  /** Advice how to get the other engine. */
  readonly remedy: string;
}

const OTHER_WAY = "To try it all the same, add ?device=webgpu to the address.";

/** The engine for a request and the answer of the WebGPU probe. */
export function chooseDevice(asked: DeviceAsked, probe: Probe): DeviceChoice {
  if (asked === "wasm")
    return {
      kind: "wasm",
      reason: "?device=wasm in the address asks for it",
      remedy: "Take ?device=wasm out of the address to compute on a GPU where there is one.",
    };
  if (!probe.available) return { kind: "wasm", reason: probe.reason, remedy: probe.remedy };
  if (probe.lastResort === undefined) return { kind: "webgpu", reason: "", remedy: "" };
  if (asked === "webgpu")
    return {
      kind: "webgpu",
      reason: `?device=webgpu in the address asks for it, though ${probe.lastResort}`,
      remedy: "Take ?device=webgpu out of the address to compute on WebAssembly, which is faster here.",
    };
  return {
    kind: "wasm",
    reason: `WebGPU has no GPU here: ${probe.lastResort}, slower than WebAssembly does`,
    remedy: `Switch on hardware acceleration in the browser's settings, or update the GPU's driver. ${OTHER_WAY}`,
  };
}

/** The choice after WebAssembly has failed: the adapter that was passed over, if there is one. */
export function afterWasmFailed(probe: Probe, message: string): DeviceChoice | undefined {
  return probe.available
    ? {
        kind: "webgpu",
        reason: `WebAssembly does not work here (${message})`,
        remedy: probe.lastResort === undefined ? "" : `It is slow, because ${probe.lastResort}.`,
      }
    : undefined;
}
