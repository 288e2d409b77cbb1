/** The interpreter behind the backend interface: slow, exact, the oracle. */
export { backend, probe, type ReferenceOptions } from "./backend.ts";
