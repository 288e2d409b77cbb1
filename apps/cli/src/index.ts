/** The command line as a function: `bin/cloze.js` calls it, tests and programs may. */
export { main } from "./main.ts";
export type { Io, OutputStream } from "./io.ts";
