/**
 * What a backend is. Almost only types: a backend is given a verified program and runs it; nothing else of ours knows
 * that a device exists. `@cloze/backend-conformance` is the suite that says whether it does.
 */
export type { Backend, Capabilities, CompileOptions, Executable, Plan, PlanStep, Session } from "./backend.ts";
export { available, unavailable, type Probe } from "./probe.ts";
export { checkFeeds, checkProgramState, checkState, checkWritten, stateNamed } from "./check.ts";
export { programText } from "./program-text.ts";
export type { HostTensor, HostTensors, Program } from "@cloze/graph";
