/**
 * The files of a saved run: a checkpoint in the Hub's layout (config.json, model.safetensors, the tokenizer's files),
 * what an exact resume needs (optimizer.safetensors, trainer_state.json), and the page's own: run.json and
 * metrics.jsonl.
 */
import type { Settings } from "./protocol.ts";

/** A line of metrics.jsonl, as the command line writes it. */
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

/** run.json: what the page needs to go on with a run. */
export interface RunFile {
  readonly version: 1;
  readonly settings: Settings;
  readonly data: { readonly name: string; readonly hash: string };
}

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
