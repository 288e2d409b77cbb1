/**
 * The messages between the page and its worker, as plain data. Each request of the page has a number, and the worker
 * answers it once. The worker also sends events: progress, rows of the run and the state of the run.
 */
import type { TrainerRow } from "./run-files.ts";

export type Side = "protein" | "text";

export interface DeviceInfo {
  readonly kind: "webgpu" | "wasm";
  /** The adapter's name, or the processor. */
  readonly device: string;
  /** The reason why the device is not WebGPU. */
  readonly reason?: string;
  /** Advice for the user: how to get WebGPU. */
  readonly remedy?: string;
}

export const OBJECTIVES = ["mlm", "mlm-30", "mlm+nsp"] as const;
export type ObjectiveChoice = (typeof OBJECTIVES)[number];
export const OPTIMIZERS = ["adamw", "muon", "stable-adamw", "lamb"] as const;
export type OptimizerChoice = (typeof OPTIMIZERS)[number];
export const SIZES = ["tiny", "small", "medium"] as const;
export type Size = (typeof SIZES)[number];

/** The settings of a run, without its data. */
export interface Settings {
  readonly side: Side;
  readonly size: Size;
  readonly objective: ObjectiveChoice;
  readonly optimizer: OptimizerChoice;
  readonly lr: number;
  readonly steps: number;
  /** Number of tokens in a row. */
  readonly length: number;
  readonly rows: number;
  readonly seed: number;
}

export interface Source {
  readonly name: string;
  /** The file's bytes. Undefined: the page's own sample. */
  readonly bytes?: Uint8Array;
}

export interface DataSummary {
  readonly name: string;
  /** Number of proteins or documents to train on. */
  readonly train: number;
  readonly valid: number;
  readonly tokens: number;
  /** In nats: the loss of a model that knows only the frequency of each token. */
  readonly unigramEntropy: number | undefined;
  readonly remark: string;
  /** Proteins or documents for the views. Proteins are held-out ones, where there are any. */
  readonly examples: readonly Example[];
  /** For text: number of tokens in the vocabulary. */
  readonly vocabulary?: number;
}

export interface Example {
  readonly name: string;
  readonly sequence: string;
}

export interface Estimate {
  readonly parameters: number;
  /** Upper bound of the memory. */
  readonly memoryBytes: number;
  readonly seconds: number;
}

export interface Distribution {
  /** Tokens, the most probable first. */
  readonly candidates: readonly { readonly token: string; readonly probability: number }[];
  readonly truth: string;
}

export interface Maps {
  /** Number of residues, without the start and the end token. */
  readonly length: number;
  readonly layers: number;
  readonly heads: number;
  /** `[length, length]` Attention of the requested layer and head. */
  readonly attention: Float32Array;
  /** `[length, length]` Mean over heads and layers, made symmetric, after average product correction. */
  readonly contacts: Float32Array;
}

export interface Substitutions {
  readonly letters: readonly string[];
  readonly sequence: string;
  /** `[letters, length]` log p(letter) - log p(true residue), with the place masked. */
  readonly scores: Float32Array;
}

export interface Piece {
  readonly token: string;
  readonly special: boolean;
}

export interface FilledMask {
  readonly candidates: readonly { readonly token: string; readonly probability: number }[];
}

export type RunPhase = "idle" | "preparing" | "training" | "paused" | "finished" | "failed";

/** The files of a checkpoint by name. */
export type Files = Readonly<Record<string, Uint8Array>>;

export interface RunState {
  readonly phase: RunPhase;
  readonly step: number;
  readonly steps: number;
  readonly parameters: number;
  readonly settings: Settings | undefined;
  readonly validLoss: number | undefined;
  /** The current work in words ("Evaluating…"), or "". */
  readonly doing: string;
  /** False for a run that was loaded without its data. */
  readonly canTrain: boolean;
  readonly error?: Failure;
}

export interface Failure {
  readonly title: string;
  /** Text with the next step for the user. */
  readonly text: string;
  /** The user stopped the work, so the page shows no notice. */
  readonly stopped?: true;
}

/** Each request: the data that it sends, and its answer. */
export interface Requests {
  probe: { readonly ask: { readonly kind: "auto" | "wasm" }; readonly answer: DeviceInfo };
  openData: {
    readonly ask: { readonly side: Side; readonly source: Source; readonly vocabulary: number };
    readonly answer: DataSummary;
  };
  estimate: { readonly ask: Settings; readonly answer: Estimate };
  start: { readonly ask: Settings; readonly answer: null };
  pause: { readonly ask: null; readonly answer: null };
  resume: { readonly ask: null; readonly answer: null };
  close: { readonly ask: null; readonly answer: null };
  save: { readonly ask: null; readonly answer: { readonly files: Files; readonly source: Source | undefined } };
  load: {
    readonly ask: { readonly side: Side; readonly files: Files; readonly source: Source | undefined };
    readonly answer: {
      readonly settings: Settings;
      readonly data: DataSummary | undefined;
      readonly rows: readonly TrainerRow[];
    };
  };
  mask: { readonly ask: { readonly sequence: string; readonly at: number }; readonly answer: Distribution };
  maps: {
    readonly ask: { readonly sequence: string; readonly layer: number; readonly head: number };
    readonly answer: Maps;
  };
  substitutions: { readonly ask: { readonly sequence: string }; readonly answer: Substitutions };
  pieces: { readonly ask: { readonly text: string }; readonly answer: readonly Piece[] };
  fillMask: { readonly ask: { readonly text: string }; readonly answer: readonly FilledMask[] };
}
export type RequestName = keyof Requests;

export type ToWorker =
  | {
      readonly [N in RequestName]: { readonly id: number; readonly name: N; readonly ask: Requests[N]["ask"] };
    }[RequestName]
  | { readonly cancel: number };

export type FromWorker =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly failure: Failure }
  | { readonly id: number; readonly progress: number }
  | { readonly row: TrainerRow }
  | { readonly state: RunState };
