/**
 * The messages between the page and its worker, as plain data. Each request of the page has a number, and the worker
 * answers it once. The worker also sends events: progress, rows of the run and the state of the run.
 */
import type { TrainerRow } from "./run-files.ts";
import type { DeviceAsked } from "./worker/device-choice.ts";

export type Side = "protein" | "text";

export type DeviceKind = "webgpu" | "wasm";

export interface DeviceInfo {
  readonly kind: DeviceKind;
  /** The adapter's name, or the processor. */
  readonly device: string;
  /** The reason for a device that is no GPU, or "". */
  readonly reason: string;
  /** Advice for the user: how to get a better device, or "". */
  readonly remedy: string;
}

export const OBJECTIVES = ["mlm", "mlm-30", "mlm+nsp"] as const;
export type ObjectiveChoice = (typeof OBJECTIVES)[number];
export const OPTIMIZERS = ["adamw", "muon", "stable-adamw", "lamb"] as const;
export type OptimizerChoice = (typeof OPTIMIZERS)[number];
export const SIZES = ["tiny", "small", "medium"] as const;
export type Size = (typeof SIZES)[number];
/** The weights that a run starts from: new random ones, or those of the bundled model. */
export const STARTS = ["new", "bundled"] as const;
export type Start = (typeof STARTS)[number];

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
  /** Absent in runs of older versions: new weights. */
  readonly start?: Start;
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

/** The model that comes with the page, and its training. */
export interface BundledModel {
  readonly settings: Settings;
  /** The training data in words, with its licence. */
  readonly data: string;
  readonly parameters: number;
  /** In nats, of the bundled weights. */
  readonly validLoss: number;
  readonly unigramEntropy: number;
  /** Held-out proteins or documents to look at. */
  readonly examples: readonly Example[];
  readonly rows: readonly TrainerRow[];
}

/** An entry in the list of saved runs. */
export interface SavedEntry {
  readonly id: string;
  readonly side: Side;
  readonly name: string;
  readonly step: number;
  readonly loss: number | undefined;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  /** The page saved this by itself. */
  readonly automatic?: boolean;
  /** For an automatic entry: the run was not closed by the visitor, so the next start of the page opens it. */
  readonly open?: boolean;
}

export interface SavedContent {
  readonly files: Files;
  readonly source: Source | undefined;
}

/** A run that was opened: from the browser's storage, or from a downloaded file. */
export interface LoadedRun {
  readonly settings: Settings;
  readonly data: DataSummary | undefined;
  readonly source: Source | undefined;
  readonly rows: readonly TrainerRow[];
  /** Another tab of the page has this run open, so this is a copy, which is saved under its own name. */
  readonly copied: boolean;
}

export type RunPhase = "idle" | "preparing" | "training" | "paused" | "finished" | "failed";

/** The files of a checkpoint by name. */
export type Files = Readonly<Record<string, Uint8Array>>;

export interface RunState {
  readonly phase: RunPhase;
  readonly step: number;
  readonly steps: number;
  readonly parameters: number;
  /** The model that the views show. */
  readonly shown: "none" | "bundled" | "run";
  /** Steps that would be lost with the page: made since the last save in the browser's storage. */
  readonly unsavedSteps: number;
  /** Seconds to the end of the run, by the steps and evaluations so far. */
  readonly secondsLeft: number | undefined;
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

/** The result of a save that the page made by itself. */
export type Autosave = { readonly entry: SavedEntry } | { readonly failure: Failure };

/** Each request: the data that it sends, and its answer. */
export interface Requests {
  probe: { readonly ask: { readonly asked: DeviceAsked }; readonly answer: DeviceInfo };
  openData: {
    readonly ask: { readonly side: Side; readonly source: Source; readonly vocabulary: number };
    readonly answer: DataSummary;
  };
  estimate: { readonly ask: Settings; readonly answer: Estimate };
  bundled: { readonly ask: { readonly side: Side }; readonly answer: BundledModel };
  /** The answer: the data in the tokens of the run's model. */
  start: { readonly ask: Settings; readonly answer: DataSummary };
  pause: { readonly ask: null; readonly answer: null };
  resume: { readonly ask: null; readonly answer: null };
  close: { readonly ask: null; readonly answer: null };
  /** The files of the run, for a download. */
  files: { readonly ask: null; readonly answer: Files };
  /** Saves the run in the browser's storage, as the visitor's own entry. */
  save: { readonly ask: null; readonly answer: SavedEntry };
  /** Saves steps that are not saved yet, as the page's entry. Undefined: there was nothing to save. */
  saveSteps: { readonly ask: null; readonly answer: SavedEntry | undefined };
  /** Opens the run that was open when the page ended. "elsewhere": another tab has it. Undefined: there is none. */
  restore: {
    readonly ask: { readonly side: Side };
    readonly answer: (LoadedRun & { readonly entry: SavedEntry }) | "elsewhere" | undefined;
  };
  loadSaved: { readonly ask: { readonly side: Side; readonly id: string }; readonly answer: LoadedRun };
  load: { readonly ask: { readonly side: Side; readonly files: Files }; readonly answer: LoadedRun };
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
  | { readonly state: RunState }
  | { readonly autosave: Autosave };
