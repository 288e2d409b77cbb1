/** The command line as a function, for `bin/cloze.js`, tests and other programs. */
export { main } from "./main.ts";
export type { Io, OutputStream } from "./io.ts";
