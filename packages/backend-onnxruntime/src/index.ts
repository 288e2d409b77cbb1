/** The CPU backend: programs as one ONNX graph each, run by ONNX Runtime in a worker thread. */
export { backend, type OnnxRuntimeOptions } from "./backend.ts";
export { probe } from "./probe.ts";
export { RunError } from "./run-error.ts";
