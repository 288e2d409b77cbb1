/**
 * The backends, best first: the only place that names them.
 *
 * `auto` takes the first whose probe says yes, and that is not there as a last resort only, and tells why it passed
 * over the others; a backend that was named is used or is an error. Nothing falls back silently.
 */
import { UnsupportedError } from "@cloze/errors";
import type { Backend, Probe } from "@cloze/backend";

export interface BackendSettings {
  /** Compute threads; left out, what the backend thinks best. */
  readonly threads?: number;
  /** Measure tiles of matmuls that this GPU has not met. */
  readonly tune?: boolean;
}

export interface BackendEntry {
  readonly name: "webgpu" | "tfjs:node-gpu" | "onnxruntime" | "tfjs:node" | "tfjs:wasm" | "tfjs:cpu" | "reference";
  /** A shorter name that stands for the first of several that can run. */
  readonly group?: "tfjs";
  /** What it is, in a few words. */
  readonly what: string;
  probe(): Promise<Probe>;
  open(settings: BackendSettings): Promise<Backend>;
}

const tfjs = (kind: "node-gpu" | "node" | "wasm" | "cpu", what: string): BackendEntry => ({
  name: `tfjs:${kind}`,
  what,
  ...(kind.startsWith("node") && { group: "tfjs" }),
  probe: async () => (await import("@cloze/backend-tfjs")).probe(kind),
  open: async () => (await import("@cloze/backend-tfjs")).backend({ kind }),
});

export const BACKENDS: readonly BackendEntry[] = [
  {
    name: "webgpu",
    what: "the GPU, through WebGPU",
    probe: async () => (await import("@cloze/backend-webgpu")).probe(),
    open: async ({ tune = false }) =>
      (await import("@cloze/backend-webgpu")).backend({
        tune,
        tiles: (await import("@cloze/backend-webgpu/node")).diskCache,
      }),
  },
  /* @__PURE__ */ tfjs("node-gpu", "CUDA, through TensorFlow"),
  {
    name: "onnxruntime",
    what: "ONNX Runtime on the CPU",
    probe: async () => (await import("@cloze/backend-onnxruntime")).probe(),
    open: async ({ threads }) =>
      (await import("@cloze/backend-onnxruntime")).backend(threads === undefined ? {} : { threads }),
  },
  /* @__PURE__ */ tfjs("node", "TensorFlow on the CPU"),
  /* @__PURE__ */ tfjs("wasm", "TensorFlow.js in WebAssembly, one thread"),
  /* @__PURE__ */ tfjs("cpu", "TensorFlow.js in JavaScript: slow"),
  {
    name: "reference",
    what: "the interpreter: exact and slow, for checks and tiny models",
    probe: async () => (await import("@cloze/backend-reference")).probe(),
    open: async () => (await import("@cloze/backend-reference")).backend(),
  },
];

export const BACKEND_CHOICES = [
  "auto",
  "webgpu",
  "onnxruntime",
  "tfjs",
  "tfjs:node-gpu",
  "tfjs:node",
  "tfjs:wasm",
  "tfjs:cpu",
  "reference",
] as const;
export type BackendChoice = (typeof BACKEND_CHOICES)[number];

export interface ProbedBackend {
  readonly entry: BackendEntry;
  readonly probe: Probe;
}

/** Asks a backend whether it can run here. A package that cannot be loaded is an answer too. */
export async function probeBackend(entry: BackendEntry): Promise<ProbedBackend> {
  try {
    return { entry, probe: await entry.probe() };
  } catch (error) {
    const reason =
      `@cloze/backend-${entry.name.replace(/:.*/, "")} does not load: ` +
      `${error instanceof Error ? error.message.split("\n")[0] : String(error)}`;
    return { entry, probe: { available: false, reason, remedy: "Reinstall the packages: npm install" } };
  }
}

/** Why `auto` does not take it, as a part of a sentence and in short (`doctor` says all); undefined where it would. */
export function passedOver({ name }: BackendEntry, probe: Probe): string | undefined {
  if (!probe.available) return `${name} cannot: ${probe.reason.split(/: |\. |\.$/)[0]}`;
  return probe.lastResort === undefined ? undefined : `${name} only with --backend ${name}: ${probe.lastResort}`;
}

export interface ChosenBackend {
  readonly backend: Backend;
  readonly name: BackendEntry["name"];
  /** A line for the log: what was chosen, on what device, and what was passed over and why. */
  readonly why: string;
}

export async function chooseBackend(
  choice: BackendChoice,
  settings: BackendSettings = {},
  entries: readonly BackendEntry[] = BACKENDS,
): Promise<ChosenBackend> {
  const passed: string[] = [];
  const asked = entries.filter(({ name, group }) => choice === "auto" || name === choice || group === choice);
  for (const entry of asked) {
    const { probe } = await probeBackend(entry);
    const why =
      choice === "auto" || (!probe.available && entry.group === choice) ? passedOver(entry, probe) : undefined;
    if (why !== undefined) {
      passed.push(why);
      continue;
    }
    if (!probe.available)
      throw new UnsupportedError(`--backend ${choice}: cannot run here: ${stop(probe.reason)} ${stop(probe.remedy)}`);
    const reason = [choice === "auto" ? "best of what runs here" : "as asked", ...passed].join("; ");
    const backend = await entry.open(settings);
    return { backend, name: entry.name, why: `backend ${entry.name} on ${backend.capabilities.device} (${reason})` };
  }
  throw new UnsupportedError(`--backend ${choice}: nothing can run here: ${stop(passed.join("; "))} See: cloze doctor`);
}

/** A sentence ends in one full stop. */
const stop = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
