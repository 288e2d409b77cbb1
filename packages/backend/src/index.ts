/**
 * The contract of a backend, almost only types. A backend gets a verified program and runs it. No other package knows
 * about devices. A `ProgramCache` keeps what a backend has compiled. `@cloze/backend-conformance` is the suite that
 * tests whether a backend fulfils the contract.
 */
export type { Backend, Capabilities, CompileOptions, Executable, Plan, PlanStep, Session } from "./backend.ts";
export { available, unavailable, type Probe } from "./probe.ts";
export { checkFeeds, checkProgramState, checkState, checkWritten, stateNamed } from "./check.ts";
export { ProgramCache, type ProgramKey, type ProgramLimits } from "./program-cache.ts";
export { causeIn, expectFinite, firstNotFinite } from "./finite.ts";
export { programText } from "./program-text.ts";
export type { HostTensor, HostTensors, Program } from "@cloze/graph";
