/** The opening of the device that `chooseDevice` chooses, with the reason for the choice. */
import { unavailable, type Backend, type Probe } from "@cloze/backend";
import type { DeviceInfo } from "../protocol.ts";
import { afterWasmFailed, chooseDevice, type DeviceAsked, type DeviceChoice } from "./device-choice.ts";

export interface Device {
  readonly backend: Backend;
  readonly info: DeviceInfo;
}

export async function openDevice(asked: DeviceAsked): Promise<Device> {
  // `?device=wasm` needs no answer about WebGPU, so its code is not loaded.
  const probed: Probe =
    asked === "wasm" ? unavailable("it was not asked for", "") : await (await import("@cloze/backend-webgpu")).probe();
  const choice = chooseDevice(asked, probed);
  if (choice.kind === "webgpu") return openWebGpu(choice);
  try {
    return await openWasm(choice);
  } catch (error) {
    const second = afterWasmFailed(probed, error instanceof Error ? error.message : String(error));
    if (second === undefined) throw error;
    return openWebGpu(second);
  }
}

async function openWebGpu({ reason, remedy }: DeviceChoice): Promise<Device> {
  const backend = await (await import("@cloze/backend-webgpu")).backend();
  return { backend, info: { kind: "webgpu", device: backend.capabilities.device, reason, remedy } };
}

async function openWasm({ reason, remedy }: DeviceChoice): Promise<Device> {
  const { wasmBackend } = await import("./wasm-backend.ts");
  return { backend: await wasmBackend(), info: { kind: "wasm", device: "processor, one thread", reason, remedy } };
}
