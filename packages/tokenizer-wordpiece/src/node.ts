/** Training a vocabulary from files: streaming, on worker threads. */
export { countFiles, type CountOptions, type CountProgress } from "./count-files.ts";
