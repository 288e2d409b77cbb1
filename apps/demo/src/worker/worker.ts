/** The entry of the worker: messages in, answers and events out. All heavy work runs here, so the page stays free. */
import type { FromWorker, ToWorker } from "../protocol.ts";
import { failureOf } from "./failure.ts";
import { Studio } from "./studio.ts";

const post = (message: FromWorker): void => self.postMessage(message);
const studio = new Studio(
  {
    onRow: (row) => post({ row }),
    onState: (state) => post({ state }),
    onAutosave: (autosave) => post({ autosave }),
  },
  // Undefined where the page comes over plain http from another machine.
  (navigator as { readonly locks?: LockManager }).locks,
);
const running = new Map<number, AbortController>();

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if ("cancel" in data) running.get(data.cancel)?.abort();
  else void handle(data);
});

async function handle({ id, name, ask }: Exclude<ToWorker, { readonly cancel: number }>): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const answer = await studio.answer(name, ask as never, {
      signal: controller.signal,
      progress: (progress) => post({ id, progress }),
    });
    post({ id, answer });
  } catch (error) {
    post({ id, failure: failureOf(error) });
  } finally {
    running.delete(id);
  }
}
