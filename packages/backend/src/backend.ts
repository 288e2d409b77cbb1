import type { DType, HostTensors, Program } from "@cloze/graph";

/**
 * Compiles programs and holds state. Several programs (a training step, an evaluation, other shapes) run over one
 * Session's state: micro-batches, buckets and evaluation share parameters without copies.
 */
export interface Backend {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Plans and builds one program of fixed shapes. Compiling an equal program again is free. */
  compile(program: Program, options?: CompileOptions): Promise<Executable>;
  /** Uploads parameters and optimizer state once. */
  start(state: HostTensors): Promise<Session>;
  dispose(): Promise<void>;
}

export interface Capabilities {
  /** What it runs on, in words: "CPU, 2 threads", an adapter's name. */
  readonly device: string;
  readonly dtypes: readonly DType[];
  /** Composites it runs whole. */
  readonly composites: readonly string[];
  readonly limits: {
    /** Largest single tensor. */
    readonly tensorBytes: number;
    /** Memory it may use in all, where known. */
    readonly memoryBytes?: number;
  };
}

export interface CompileOptions {
  /** 16-bit contractions with f32 accumulation. Default "f32". A backend that cannot do it throws UnsupportedError. */
  readonly compute?: "f32" | "f16" | "bf16";
}

export interface Executable {
  readonly program: Program;
  readonly plan: Plan;
  dispose(): Promise<void>;
}

/** What will happen in one run: plain data, printable. */
export interface Plan {
  readonly backend: string;
  readonly steps: readonly PlanStep[];
  /** Bytes of state, and the largest sum of temporaries, where the backend can know it. */
  readonly stateBytes: number;
  readonly peakBytes?: number;
}

export interface PlanStep {
  /** Kernel or engine operator. */
  readonly kernel: string;
  readonly count: number;
}

/** State on the device. Programs read it by name and replace what they update. */
export interface Session {
  /** One run: feeds in, the program's small outputs back. Runs of one session are serialised in the order called. */
  run(executable: Executable, feeds: HostTensors): Promise<HostTensors>;
  /** State to the host: checkpoints, all-reduce. All of it when `names` is left out. */
  read(names?: readonly string[]): Promise<HostTensors>;
  /** Replaces state, same names and types. */
  write(state: HostTensors): Promise<void>;
  dispose(): Promise<void>;
}
