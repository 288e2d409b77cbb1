/** What the main thread and the worker say to each other: one request, one answer, in order. */
import type { HostTensors, TensorType } from "@cloze/graph";

/** Tensors that cross hold f32, i32, u32 or bool. */
export interface Model {
  readonly bytes: Uint8Array;
  /** State and feeds that the model reads, by input name. */
  readonly state: readonly string[];
  readonly feeds: readonly string[];
  /** By the program's name: the model's output and its type. */
  readonly outputs: Readonly<Record<string, Port>>;
  readonly updates: Readonly<Record<string, Port>>;
  /** A bool []: where it comes out false, the run replaces no state. */
  readonly guard?: Port;
}

export interface Port extends TensorType {
  readonly name: string;
}

export interface EngineOptions {
  readonly threads: number;
  /** Prefix of the files ONNX Runtime writes a profile to, or undefined. */
  readonly profile: string | undefined;
}

/** What the worker is started with. */
export interface WorkerStart {
  readonly options: EngineOptions;
  readonly busyBuffer: SharedArrayBuffer;
}

/** What each request carries and what its answer holds. */
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
  /** "missing": the engine did not load. "engine": it refused or failed. */
  readonly kind: "missing" | "engine";
  readonly message: string;
}
