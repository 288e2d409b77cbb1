/** Whether ONNX Runtime loads on this machine. */
import os from "node:os";
import { available, unavailable, type Probe } from "@cloze/backend";
import { loadRuntime, REMEDY } from "./runtime.ts";

export async function probe(): Promise<Probe> {
  try {
    const { env } = await loadRuntime();
    return available(`CPU, ${os.availableParallelism()} threads`, { cpu: os.cpus()[0]?.model.trim() ?? "unknown", onnxruntime: env.versions.node ?? env.versions.common });
  } catch (error) {
    return unavailable(error instanceof Error ? error.message : String(error), REMEDY);
  }
}
