/** The choice of the device: WebGPU where the browser has it, else TensorFlow.js on WebAssembly, with the reason. */
import type { Backend } from "@cloze/backend";
import type { DeviceInfo } from "../protocol.ts";

export interface Device {
  readonly backend: Backend;
  readonly info: DeviceInfo;
}

export async function openDevice(kind: "auto" | "wasm"): Promise<Device> {
  if (kind === "wasm")
    return openWasm("?device=wasm in the address asks for it", "Take it out of the address to compute on WebGPU.");
  const { backend, probe } = await import("@cloze/backend-webgpu");
  const found = await probe();
  if (!found.available) return openWasm(found.reason, found.remedy);
  const opened = await backend();
  return { backend: opened, info: { kind: "webgpu", device: opened.capabilities.device } };
}

async function openWasm(reason: string, remedy: string): Promise<Device> {
  const { wasmBackend } = await import("./wasm-backend.ts");
  const backend = await wasmBackend();
  return { backend, info: { kind: "wasm", device: "processor, one thread", reason, remedy } };
}
