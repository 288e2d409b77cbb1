/**
 * The backends, best first: the only place that names them.
 *
 * `auto` takes the first backend that can run here, and never a last resort: a GPU that the CPU emulates, or the
 * interpreter. A named backend that cannot run is an error: nothing falls back silently. `cloze doctor` tells why
 * `auto` passes over a backend.
 */
import { UnsupportedError } from "@cloze/errors";
import { unavailable, type Backend, type Probe } from "@cloze/backend";
import { dawnModule } from "./dawn.ts";
import { inItsWords } from "./install-command.ts";

export interface BackendSettings {
  /** Compute threads. Default: the backend's own default. */
  readonly threads?: number;
  /** Measure tiles of the matmuls that this GPU's tile cache does not have. */
  readonly tune?: boolean;
}

/**
 * The purpose of a probe: "choose" for `--backend auto`, "show" for `cloze doctor`, "use" for a named backend. Only a
 * probe for "use" may load code that prints on stderr.
 */
export type ProbePurpose = "choose" | "show" | "use";

export interface BackendEntry {
  readonly name: "webgpu" | "tfjs:node-gpu" | "onnxruntime" | "tfjs:node" | "tfjs:wasm" | "tfjs:cpu" | "reference";
  /** A short name of several backends. It chooses the first of them that can run. */
  readonly group?: "tfjs";
  /** A description in a few words. */
  readonly what: string;
  probe(purpose: ProbePurpose): Promise<Probe>;
  open(settings: BackendSettings): Promise<Backend>;
}

const tfjs = (kind: "node-gpu" | "node" | "wasm" | "cpu", what: string): BackendEntry => ({
  name: `tfjs:${kind}`,
  what,
  ...(kind.startsWith("node") && { group: "tfjs" }),
  probe: async () => (await import("@cloze/backend-tfjs")).probe(kind),
  open: async () => (await import("@cloze/backend-tfjs")).backend({ kind }),
});

const NO_GPU = /* @__PURE__ */ unavailable("this machine has no GPU", "See: cloze doctor");

export const BACKENDS: readonly BackendEntry[] = [
  {
    name: "webgpu",
    what: "the GPU, through WebGPU",
    probe: async (purpose) => {
      if (purpose === "use") return (await import("@cloze/backend-webgpu")).probe({ dawn: dawnModule() });
      const { mayHaveGpu, probeWebGpuApart } = await import("./probe-webgpu.ts");
      if (purpose === "choose" && !mayHaveGpu()) return NO_GPU;
      return probeWebGpuApart();
    },
    open: async ({ tune = false }) =>
      (await import("@cloze/backend-webgpu")).backend({
        dawn: dawnModule(),
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

/** Asks a backend whether it can run here. A package that does not load gives the answer no, with the reason. */
export async function probeBackend(entry: BackendEntry, purpose: ProbePurpose): Promise<ProbedBackend> {
  try {
    const probe = await entry.probe(purpose);
    return { entry, probe: probe.available ? probe : unavailable(probe.reason, inItsWords(probe.remedy)) };
  } catch (error) {
    const reason =
      `@cloze/backend-${entry.name.replace(/:.*/, "")} does not load: ` +
      `${error instanceof Error ? error.message.split("\n")[0] : String(error)}`;
    return { entry, probe: unavailable(reason, inItsWords("Install the packages again: npm install")) };
  }
}

/**
 * The short reason why `auto` passes over a backend, as a part of a sentence (`doctor` tells the whole reason).
 * Undefined where `auto` may take the backend.
 */
export function passedOver({ name }: BackendEntry, probe: Probe): string | undefined {
  if (!probe.available) return `${name} cannot: ${probe.reason.split(/: |\. |\.$/)[0]}`;
  return probe.lastResort === undefined ? undefined : `${name} only with --backend ${name}: ${probe.lastResort}`;
}

export interface ChosenBackend {
  readonly backend: Backend;
  readonly name: BackendEntry["name"];
  /** For the log: "on the CPU, 2 threads (onnxruntime)". */
  readonly place: string;
}

export async function chooseBackend(
  choice: BackendChoice,
  settings: BackendSettings = {},
  entries: readonly BackendEntry[] = BACKENDS,
): Promise<ChosenBackend> {
  const passed: ProbedBackend[] = [];
  const asked = entries.filter(({ name, group }) => choice === "auto" || name === choice || group === choice);
  for (const entry of asked) {
    const probed = await probeBackend(entry, choice === "auto" ? "choose" : "use");
    const { probe } = probed;
    if (choice === "auto" ? passedOver(entry, probe) !== undefined : !probe.available && entry.group === choice) {
      passed.push(probed);
      continue;
    }
    if (!probe.available)
      throw new UnsupportedError(`--backend ${choice}: cannot run here: ${stop(probe.reason)} ${stop(probe.remedy)}`);
    const backend = await entry.open(settings);
    return { backend, name: entry.name, place: placeOf(entry, backend) };
  }
  throw new UnsupportedError(
    choice === "auto"
      ? noneForAuto(passed)
      : `--backend ${choice}: nothing can run here: ${stop(reasons(passed))} See: cloze doctor`,
  );
}

function placeOf({ name }: BackendEntry, { capabilities: { device } }: Backend): string {
  return `on ${/^[CG]PU\b/.test(device) ? "the " : ""}${device} (${name})`;
}

const reasons = (passed: readonly ProbedBackend[]): string =>
  passed.map(({ entry, probe }) => passedOver(entry, probe)).join("; ");

/**
 * The message of the error where `auto` finds no backend. The remedy is onnxruntime's, because onnxruntime should run
 * on any machine.
 */
function noneForAuto(passed: readonly ProbedBackend[]): string {
  const usual = passed.find(({ entry }) => entry.name === "onnxruntime")?.probe;
  const remedy = usual?.available === false ? `${stop(usual.remedy)} ` : "";
  return (
    `--backend auto: expected a backend that can run here, got none: ${stop(reasons(passed))} ` +
    `${remedy}See: cloze doctor`
  );
}

/** Ends a sentence with a full stop, unless it ends with `.`, `!` or `?`. */
const stop = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
