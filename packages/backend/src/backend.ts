/** The interfaces of a backend: the backend itself, its executables with their plans, and its sessions. */
import type { DType, HostTensors, Program } from "@cloze/graph";

/**
 * A backend compiles programs and holds state. Several programs (a training step, an evaluation, other shapes) can run
 * over the state of one Session. Micro-batches, buckets and evaluation thus share parameters without copies.
 */
export interface Backend {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Plans and builds one program of fixed shapes. The second compilation of an equal program is free. */
  compile(program: Program, options?: CompileOptions): Promise<Executable>;
  /** Uploads parameters and optimizer state once. */
  start(state: HostTensors): Promise<Session>;
  dispose(): Promise<void>;
}

export interface Capabilities {
  /** The device, as text: "CPU, 2 threads", or the name of an adapter. */
  readonly device: string;
  readonly dtypes: readonly DType[];
  /** The composites that the backend runs without expansion. */
  readonly composites: readonly string[];
  readonly limits: {
    /** Bytes of the largest single tensor. */
    readonly tensorBytes: number;
    /** Total memory that the backend may use, where known. */
    readonly memoryBytes?: number;
  };
}

export interface CompileOptions {
  /** The type of contractions; 16-bit ones sum in f32. Default "f32". Throws UnsupportedError where it is missing. */
  readonly compute?: "f32" | "f16" | "bf16";
}

export interface Executable {
  readonly program: Program;
  readonly plan: Plan;
  dispose(): Promise<void>;
}

/** The plan of one run: plain data that can be printed. */
export interface Plan {
  readonly backend: string;
  readonly steps: readonly PlanStep[];
  readonly stateBytes: number;
  /** The largest number of bytes in use at once, where the backend can know it. */
  readonly peakBytes?: number;
}

export interface PlanStep {
  /** Name of a kernel, or of an operator of the engine. */
  readonly kernel: string;
  readonly count: number;
}

/** State on the device. Programs read state by name and replace the values that they update. */
export interface Session {
  /** Runs a program on `feeds` and resolves to its outputs. Runs of one session happen in the order of the calls. */
  run(executable: Executable, feeds: HostTensors): Promise<HostTensors>;
  /** Copies state to the host, for checkpoints or an all-reduce. Without `names` it copies all state. */
  read(names?: readonly string[]): Promise<HostTensors>;
  /** Replaces state under existing names, with values of the same types. */
  write(state: HostTensors): Promise<void>;
  dispose(): Promise<void>;
}
