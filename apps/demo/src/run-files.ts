/**
 * Names and contents of a saved run's files: a checkpoint in the Hub layout (config.json, model.safetensors, the
 * tokenizer's files), the files for an exact resume (optimizer.safetensors, trainer_state.json), and run.json and
 * metrics.jsonl.
 */
import type { Settings } from "./protocol.ts";

/** A line of metrics.jsonl, in the format of the command line. */
export interface TrainerRow {
  readonly type: "train" | "eval";
  readonly step: number;
  readonly tokens: number;
  /** Nats per predicted token. */
  readonly loss: number;
  readonly lr?: number;
  readonly gradNorm?: number;
  readonly accuracy?: number;
  readonly time: { readonly elapsed: number; readonly tokensPerSecond?: number; readonly stepMs?: number };
}

/** The content of run.json: the settings and the data's hash, with which the page resumes a run. */
export interface RunFile {
  readonly version: 1;
  readonly settings: Settings;
  readonly data: { readonly name: string; readonly hash: string };
}

/** The name of a run in the list of saved runs. */
export const runName = ({ settings: { size, objective }, data }: RunFile): string =>
  `${data.name || "Run"}, ${size}, ${objective}`;

export const RUN_FILE = "run.json";
export const METRICS_FILE = "metrics.jsonl";
export const STATE_FILE = "trainer_state.json";
export const OPTIMIZER_FILE = "optimizer.safetensors";
export const MODEL_FILE = "model.safetensors";
export const CONFIG_FILE = "config.json";

export const metricsText = (rows: readonly TrainerRow[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join("");

export const parseMetricsText = (text: string): readonly TrainerRow[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as TrainerRow);
