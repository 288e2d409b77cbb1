/** The worker thread of `prefetch`: makes the batches that `prefetch` asks for. It is started, never imported. */
import { parentPort, workerData } from "node:worker_threads";
import type { BatchRecipe } from "./batches/batches.ts";
import { openBatches } from "./batches/open-batches.ts";
import { flatten, flattenError, type FromWorker, type ToWorker } from "./batches/worker-protocol.ts";

if (parentPort !== null) {
  const port = parentPort;
  const batches = openBatches(workerData as BatchRecipe);
  batches.catch(() => undefined); // the first step sends the error
  port.on("message", async ({ step }: ToWorker) => {
    try {
      const batch = flatten(await (await batches).batchAt(step));
      const buffers = [
        batch.ids,
        batch.segments,
        batch.positions,
        ...(batch.types ? [batch.types] : []),
        batch.sequences,
      ].map((array) => array.buffer as ArrayBuffer);
      port.postMessage({ step, batch } satisfies FromWorker, buffers);
    } catch (error) {
      port.postMessage({ step, error: flattenError(error) } satisfies FromWorker);
    }
  });
}
