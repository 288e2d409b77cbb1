/** Probe: whether ONNX Runtime loads on this machine. */
import os from "node:os";
import { available, unavailable, type Probe } from "@cloze/backend";
import { MissingRuntime } from "./missing-runtime.ts";
import { loadRuntime } from "./runtime.ts";

/** "CPU, 2 threads". */
export const deviceName = (threads: number): string => `CPU, ${threads} thread${threads === 1 ? "" : "s"}`;

export async function probe(): Promise<Probe> {
  try {
    const { env } = await loadRuntime();
    return available(deviceName(os.availableParallelism()), {
      cpu: os.cpus()[0]?.model.trim() ?? "unknown",
      onnxruntime: env.versions.node ?? env.versions.common,
    });
  } catch (error) {
    if (error instanceof MissingRuntime) return unavailable(error.reason, error.remedy);
    throw error;
  }
}
