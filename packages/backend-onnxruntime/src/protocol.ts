/** The messages between the main thread and the worker: one answer for each request, in the order of requests. */
import type { HostTensors, TensorType } from "@cloze/graph";

/** An ONNX model and its ports. Tensors between the threads hold f32, i32, u32 or bool. */
export interface Model {
  readonly bytes: Uint8Array;
  /** Names of the model's inputs: the state and the feeds that the model reads. */
  readonly state: readonly string[];
  readonly feeds: readonly string[];
  /** The model's output and its type, by the name in the program. */
  readonly outputs: Readonly<Record<string, Port>>;
  readonly updates: Readonly<Record<string, Port>>;
  /** A bool of shape []: where the guard is false, the run replaces no state. */
  readonly guard?: Port;
}

export interface Port extends TensorType {
  readonly name: string;
}

export interface EngineOptions {
  readonly threads: number;
  /** Prefix of the files to which ONNX Runtime writes profiles; undefined: no profile. */
  readonly profile: string | undefined;
}

/** The data of a new worker. */
export interface WorkerStart {
  readonly options: EngineOptions;
  readonly busyBuffer: SharedArrayBuffer;
}

/** The content of each request (`ask`) and of its answer. */
export interface Requests {
  load: { readonly ask: { readonly executable: number; readonly model: Model }; readonly answer: undefined };
  unload: { readonly ask: { readonly executable: number }; readonly answer: undefined };
  start: { readonly ask: { readonly session: number; readonly state: HostTensors }; readonly answer: undefined };
  run: {
    readonly ask: { readonly session: number; readonly executable: number; readonly feeds: HostTensors };
    readonly answer: HostTensors;
  };
  read: { readonly ask: { readonly session: number; readonly names: readonly string[] }; readonly answer: HostTensors };
  write: { readonly ask: { readonly session: number; readonly state: HostTensors }; readonly answer: undefined };
  end: { readonly ask: { readonly session: number }; readonly answer: undefined };
}

export type Kind = keyof Requests;
export type Request = {
  readonly [K in Kind]: { readonly id: number; readonly kind: K; readonly ask: Requests[K]["ask"] };
}[Kind];

export type Reply =
  | { readonly id: number; readonly answer: HostTensors | undefined }
  | { readonly id: number; readonly failure: Failure };

export interface Failure {
  /** "missing": ONNX Runtime did not load. "engine": ONNX Runtime refused or failed. */
  readonly kind: "missing" | "engine";
  readonly message: string;
}
