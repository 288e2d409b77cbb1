/** The TensorFlow.js backend for CUDA, CPUs and browsers, through any installed package of TensorFlow.js. */
import type { Probe } from "@cloze/backend";
import { probeKind, type Kind, type LoadOptions } from "./load.ts";

export { backend, type TfjsOptions } from "./backend.ts";
export { KINDS, type Kind, type LoadOptions } from "./load.ts";
export { RunError } from "./run-error.ts";
export type { Tfjs } from "./tfjs.ts";
export type { WasmPaths } from "./wasm-files.ts";

/** Can this kind of TensorFlow.js run here? Resolves to the device, or to the reason and the remedy. Default "node". */
export const probe = (kind: Kind = "node", options: LoadOptions = {}): Promise<Probe> => probeKind(kind, options);
