/** What needs files: records of a task from them, and fine-tuning as a run of the trainer. */
export { fineTune, type FineTuned, type FineTuneOptions, type FineTuneSettings } from "./fine-tune.ts";
export { loadRecords, readRecords, type Located, type ReadRecordsOptions } from "./read-records.ts";
