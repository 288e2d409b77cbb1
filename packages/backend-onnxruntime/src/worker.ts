/**
 * The worker's program. ONNX Runtime's `run` blocks its thread, so ONNX Runtime has a thread of its own. The worker
 * handles requests one after another, in the order of sending.
 */
import { parentPort, workerData } from "node:worker_threads";
import { ClozeError, invariant } from "@cloze/errors";
import { Busy } from "./busy.ts";
import { Engine } from "./engine.ts";
import type { Kind, Reply, Request, WorkerStart } from "./protocol.ts";
import { loadRuntime } from "./runtime.ts";

const port = parentPort;
invariant(port !== null, "worker.ts is started by backend(), not imported");

const { options, busyBuffer } = workerData as WorkerStart;
const busy = new Busy(busyBuffer);
const engine = loadRuntime().then((runtime) => new Engine(runtime, options));
// The first request reports a failure to load. Without this line the process would end before the first request.
engine.catch(() => undefined);

// allow module state: this module is the whole of the worker's program
let last: Promise<void> = Promise.resolve();
// allow module state: as above
let ended = false;
port.on("message", (request: Request | "end") => {
  if (request === "end") ended = true;
  last = last.then(async () => {
    if (ended) port.close();
    else port.postMessage(await busy.during(() => answer(request as Request)));
  });
});

/** Answers a request. Never rejects: an error becomes a failure in the reply. */
async function answer(request: Request): Promise<Reply> {
  const { id } = request;
  try {
    return { id, answer: await handle(await engine, request) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      id,
      failure: { kind: ClozeError.isInstance(error) && error.kind === "unsupported" ? "missing" : "engine", message },
    };
  }
}

function handle<K extends Kind>(
  running: Engine,
  request: Extract<Request, { kind: K }>,
): ReturnType<Engine["handlers"][K]> {
  return running.handlers[request.kind as K](request.ask as Parameters<Engine["handlers"][K]>[0]) as ReturnType<
    Engine["handlers"][K]
  >;
}
