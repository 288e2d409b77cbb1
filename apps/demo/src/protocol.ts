/**
 * What the page and its worker say to each other. The page asks and is answered once by number; beside that the worker
 * tells of what happens in it. Everything here is plain data.
 */
import type { TrainerRow } from "./run-files.ts";

export type Side = "protein" | "text";

export interface DeviceInfo {
  readonly kind: "webgpu" | "wasm";
  /** The adapter's name, or the processor. */
  readonly device: string;
  /** Why it is not WebGPU. */
  readonly reason?: string;
  /** What would help. */
  readonly remedy?: string;
}

export const OBJECTIVES = ["mlm", "mlm-30", "mlm+nsp"] as const;
export type ObjectiveChoice = (typeof OBJECTIVES)[number];
export const OPTIMIZERS = ["adamw", "muon", "stable-adamw", "lamb"] as const;
export type OptimizerChoice = (typeof OPTIMIZERS)[number];
export const SIZES = ["tiny", "small", "medium"] as const;
export type Size = (typeof SIZES)[number];

/** What a run is made of, but for its data. */
export interface Settings {
  readonly side: Side;
  readonly size: Size;
  readonly objective: ObjectiveChoice;
  readonly optimizer: OptimizerChoice;
  readonly lr: number;
  readonly steps: number;
  /** Tokens in a row. */
  readonly length: number;
  readonly rows: number;
  readonly seed: number;
}

export interface Source {
  readonly name: string;
  /** Undefined: the sample that comes with the page. */
  readonly bytes?: Uint8Array;
}

export interface DataSummary {
  readonly name: string;
  /** Sequences, or windows of documents. */
  readonly train: number;
  readonly valid: number;
  readonly tokens: number;
  /** Nats: the loss of a model that knows how common each token is, and nothing else. */
  readonly unigramEntropy: number | undefined;
  readonly remark: string;
  /** Proteins to look at: those held out first. */
  readonly examples: readonly Example[];
  /** Of text: the vocabulary's size, and how the first sentences are cut. */
  readonly vocabulary?: number;
}

export interface Example {
  readonly name: string;
  readonly sequence: string;
}

export interface Estimate {
  readonly parameters: number;
  /** At most. */
  readonly memoryBytes: number;
  readonly seconds: number;
}

export interface Distribution {
  /** Tokens by probability, largest first. */
  readonly candidates: readonly { readonly token: string; readonly probability: number }[];
  readonly truth: string;
}

export interface Maps {
  /** Residues, start and end not among them. */
  readonly length: number;
  readonly layers: number;
  readonly heads: number;
  /** `[length, length]` of the layer and head asked for. */
  readonly attention: Float32Array;
  /** `[length, length]`: mean over heads and layers, made symmetric, with its average product taken off. */
  readonly contacts: Float32Array;
}

export interface Substitutions {
  readonly letters: readonly string[];
  readonly sequence: string;
  /** `[letters, length]`: log p(letter) - log p(what stands there), with the place masked. */
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

/** Files of a checkpoint by name. */
export type Files = Readonly<Record<string, Uint8Array>>;

export interface RunState {
  readonly phase: RunPhase;
  readonly step: number;
  readonly steps: number;
  readonly parameters: number;
  readonly settings: Settings | undefined;
  readonly validLoss: number | undefined;
  /** What is being done, while something is. */
  readonly doing: string;
  /** False of a run that was loaded without its data. */
  readonly canTrain: boolean;
  readonly error?: Failure;
}

export interface Failure {
  readonly title: string;
  /** What to do. */
  readonly text: string;
  /** The user asked for it: nobody need be told. */
  readonly stopped?: true;
}

/** Each request with what it answers. */
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
