/** The TensorFlow.js backend: CUDA, CPUs and browsers, through whichever of its packages is there. */
import type { Probe } from "@cloze/backend";
import { probeKind, type Kind, type LoadOptions } from "./load.ts";

export { backend, type TfjsOptions } from "./backend.ts";
export { KINDS, type Kind, type LoadOptions } from "./load.ts";
export { RunError } from "./run-error.ts";
export type { Tfjs } from "./tfjs.ts";
export type { WasmPaths } from "./wasm-files.ts";

/** Whether a kind of TensorFlow.js can run here, on what, and if not, what would help. Default "node". */
export const probe = (kind: Kind = "node", options: LoadOptions = {}): Promise<Probe> => probeKind(kind, options);
