/** The entry `@cloze/tokenizer-wordpiece/node`: word counts of files for training, on worker threads. */
export type { TextStream } from "./text-chunks.ts";
export { countFiles, type CountOptions, type CountProgress } from "./count-files.ts";
