/** The reference backend: the interpreter behind the backend interface. */
export { backend, probe, type ReferenceOptions } from "./backend.ts";
