/** The API that needs files: reading records of a task, and fine-tuning as a run of the trainer. */
export { fineTune, type FineTuned, type FineTuneOptions, type FineTuneSettings } from "./fine-tune.ts";
export { loadRecords, readRecords, type Located, type ReadRecordsOptions } from "./read-records.ts";
export { loadExamples, type LoadedExamples, type LoadExamplesOptions } from "./load-examples.ts";
export { splitByColumn, type Part, type Parts, type SplitColumns } from "./split-column.ts";
