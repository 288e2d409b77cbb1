/**
 * The CPU backend: a program becomes one ONNX graph, and ONNX Runtime runs the graph in a worker thread. All state
 * stays in the worker.
 *
 *   compile: lower -> ONNX bytes -> a session in the worker, one for each text of a program
 *   run:     feeds go to the worker, the step runs, updated state and old state swap buffers, outputs come back
 */
import { createHash } from "node:crypto";
import os from "node:os";
import {
  programText,
  type Backend,
  type Capabilities,
  type CompileOptions,
  type Executable,
  type Plan,
  type Session,
} from "@cloze/backend";
import { ConfigError, invariant } from "@cloze/errors";
import { lower, type DType, type HostTensors, type Program } from "@cloze/graph";
import { nativeIn, NATIVE_COMPOSITES, toOnnx, type OnnxModel, type ValueInfo } from "@cloze/onnx";
import { planOf } from "./plan.ts";
import { deviceName } from "./probe.ts";
import type { Port } from "./protocol.ts";
import { OrtSession, packed, type Compiled } from "./session.ts";
import { WorkerClient } from "./worker-client.ts";

export interface OnnxRuntimeOptions {
  /** Threads of one run. Default: the cores this process may use. */
  readonly threads?: number;
  /** Prefix of file names. ONNX Runtime writes a profile of each program when the program is disposed. */
  readonly profile?: string;
}

const DTYPES: readonly DType[] = ["f32", "f16", "bf16", "i32", "u32", "bool"];

export function backend(options: OnnxRuntimeOptions = {}): Backend {
  const { threads = os.availableParallelism(), profile } = options;
  if (!(Number.isInteger(threads) && threads >= 1))
    throw new ConfigError(`backend onnxruntime: expected threads from 1, got ${threads}.`);
  return new OnnxRuntimeBackend(threads, profile);
}

/** A loaded program. Equal programs share one. */
interface Shared extends Compiled {
  readonly key: string;
  readonly plan: Plan;
  users: number;
}

class OnnxRuntimeBackend implements Backend {
  readonly name = "onnxruntime";
  readonly capabilities: Capabilities;
  readonly #client: WorkerClient;
  readonly #shared = new Map<string, Shared>();
  readonly #compiled = new WeakMap<Executable, Shared>();
  #nextId = 0;

  constructor(threads: number, profile: string | undefined) {
    this.#client = new WorkerClient({ threads, profile });
    this.capabilities = {
      device: deviceName(threads),
      dtypes: DTYPES,
      composites: NATIVE_COMPOSITES,
      limits: { tensorBytes: 2 ** 31 - 1, memoryBytes: os.totalmem() },
    };
  }

  async compile(program: Program, { compute = "f32" }: CompileOptions = {}): Promise<Executable> {
    const key = keyOf(program, compute);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = this.#load(program, compute, key);
      this.#shared.set(key, shared);
    }
    shared.users++;
    try {
      await shared.loaded;
    } catch (error) {
      this.#shared.delete(key);
      throw error;
    }
    const executable = this.#executable(program, shared);
    this.#compiled.set(executable, shared);
    return executable;
  }

  async start(state: HostTensors): Promise<Session> {
    const types = new Map(Object.entries(state).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
    const session = this.#nextId++;
    const { tensors, buffers } = packed(Object.entries(state));
    await this.#client.request("start", { session, state: tensors }, buffers);
    return new OrtSession(this.#client, session, types, (executable) => this.#find(executable));
  }

  async dispose(): Promise<void> {
    await this.#client.end();
  }

  #executable(program: Program, shared: Shared): Executable {
    let live = true;
    const executable: Executable = {
      program,
      plan: shared.plan,
      dispose: async () => {
        if (!live) return;
        live = false;
        this.#compiled.delete(executable);
        if (--shared.users > 0) return;
        this.#shared.delete(shared.key);
        await this.#client.request("unload", { executable: shared.id });
      },
    };
    return executable;
  }

  #find(executable: Executable): Compiled {
    const found = this.#compiled.get(executable);
    if (found === undefined)
      throw new ConfigError(
        "backend onnxruntime: expected an executable that this backend compiled and that is not disposed, got " +
          "another. Compile the program with the backend that started the session.",
      );
    return found;
  }

  #load(program: Program, compute: NonNullable<CompileOptions["compute"]>, key: string): Shared {
    const lowered = lower(program, { native: nativeIn(program), compute });
    const model = modelOf(lowered);
    const id = this.#nextId++;
    const read = new Set(model.inputs.map((i) => i.name));
    const names = (inputs: Program["feeds"]): readonly string[] =>
      inputs.map((x) => x.attrs.name).filter((name) => read.has(name));
    const pick = (of: Readonly<Record<string, unknown>>, prefix: string): Readonly<Record<string, Port>> =>
      Object.fromEntries(Object.keys(of).map((name) => [name, portOf(model.outputs[prefix + name] as ValueInfo)]));
    const feeds = names(lowered.feeds);
    const loaded = this.#client
      .request(
        "load",
        {
          executable: id,
          model: {
            bytes: model.bytes,
            state: names(lowered.state),
            feeds,
            outputs: pick(lowered.outputs, ""),
            updates: pick(lowered.updates, UPDATE),
            ...(lowered.guard ? { guard: portOf(model.outputs[GUARD] as ValueInfo) } : {}),
          },
        },
        [model.bytes.buffer],
      )
      .then(() => undefined);
    return { id, key, feeds: new Set(feeds), loaded, plan: planOf(lowered, model), users: 0 };
  }
}

/** Prefix of updates: a program has two namespaces, outputs and updates, and an ONNX model has one. */
const UPDATE = "new ";
const GUARD = "guard of the updates";

function modelOf(lowered: Program): OnnxModel {
  const updates = Object.fromEntries(Object.entries(lowered.updates).map(([name, x]) => [UPDATE + name, x]));
  return toOnnx({
    inputs: [...lowered.feeds, ...lowered.state],
    outputs: { ...lowered.outputs, ...updates, ...(lowered.guard ? { [GUARD]: lowered.guard } : {}) },
  });
}

function portOf({ name, type, shape }: ValueInfo): Port {
  invariant(type === "f32" || type === "i32" || type === "u32" || type === "bool", `output "${name}" of ${type}`);
  return { name, dtype: type, shape };
}

/** One key for all equal programs with the same compute type. */
const keyOf = (program: Program, compute: string): string =>
  createHash("sha256")
    .update(`${compute}\n${programText(program)}`)
    .digest("hex");
