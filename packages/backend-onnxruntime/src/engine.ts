/**
 * Engine: the half of the backend that lives in the worker. The engine owns the ONNX Runtime sessions and all state
 * tensors.
 *
 * State is fed back without a copy. Each tensor has a front buffer, which runs read. A tensor that some program updates
 * also has a back buffer, which runs write. After a run the two buffers swap. ONNX Runtime accepts one buffer as both
 * input and output, and gives wrong results without an error. Outputs are preallocated too: allocation by ONNX Runtime
 * costs 7 to 9 % of a step.
 */
import { invariant } from "@cloze/errors";
import { hostTensor, type DType, type HostTensor, type HostTensors, type TensorType } from "@cloze/graph";
import type { InferenceSession, Tensor } from "onnxruntime-common";
import type { EngineOptions, Kind, Model, Requests } from "./protocol.ts";
import type { Runtime } from "./runtime.ts";

interface State {
  front: Tensor;
  /** Undefined until a program that updates this state runs. */
  back: Tensor | undefined;
  readonly type: TensorType;
}

interface Loaded {
  readonly session: InferenceSession;
  readonly model: Model;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

type Handlers = { readonly [K in Kind]: (ask: Requests[K]["ask"]) => Promise<Requests[K]["answer"]> };

/** The options of every ONNX Runtime session. */
export function sessionOptions({ threads, profile }: EngineOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // A failure comes back as an error, so ONNX Runtime does not print it.
    logSeverityLevel: 4,
    // A spinning thread takes the core from other processes: with a busy neighbour a step took twice as long.
    // Numbers below 1.2e-38 are zero: moments of rows without a gradient decay to such numbers, and some processors
    // then take 100 times as long. The transposes before products are intended (see lowerOuterProduct in @cloze/onnx),
    // so the two fusions that undo them are off.
    extra: {
      session: { "intra_op.allow_spinning": "0", "inter_op.allow_spinning": "0", set_denormal_as_zero: "1" },
      optimization: { disable_specified_optimizers: "MatmulTransposeFusion;GemmTransposeFusion" },
    },
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  };
}

export class Engine {
  readonly #runtime: Runtime;
  readonly #options: EngineOptions;
  readonly #loaded = new Map<number, Loaded>();
  readonly #sessions = new Map<number, Map<string, State>>();

  constructor(runtime: Runtime, options: EngineOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  readonly handlers: Handlers = {
    load: async ({ executable, model }) => {
      const session = await this.#runtime.InferenceSession.create(model.bytes, sessionOptions(this.#options));
      const outputs = Object.fromEntries(
        [...Object.values(model.outputs), ...(model.guard ? [model.guard] : [])].map((port) => [
          port.name,
          this.#empty(port),
        ]),
      );
      this.#loaded.set(executable, { session, model: { ...model, bytes: new Uint8Array(0) }, outputs });
      return undefined;
    },
    unload: async ({ executable }) => {
      const { session } = this.#executable(executable);
      if (this.#options.profile !== undefined) session.endProfiling();
      this.#loaded.delete(executable);
      await session.release();
      return undefined;
    },
    start: async ({ session, state }) => {
      this.#sessions.set(session, new Map(Object.entries(state).map(([name, value]) => [name, this.#state(value)])));
      return undefined;
    },
    write: async ({ session, state }) => {
      for (const [name, value] of Object.entries(state)) this.#session(session).set(name, this.#state(value));
      return undefined;
    },
    run: async ({ session, executable, feeds }) =>
      this.#run(this.#executable(executable), this.#session(session), feeds),
    read: async ({ session, names }) => {
      const state = this.#session(session);
      return Object.fromEntries(
        names.map((name) => {
          const { front, type } = stateOf(state, name);
          return [name, hostOf(front, type)];
        }),
      );
    },
    end: async ({ session }) => {
      this.#sessions.delete(session);
      return undefined;
    },
  };

  async #run({ session, model, outputs }: Loaded, state: Map<string, State>, given: HostTensors): Promise<HostTensors> {
    const feeds: Record<string, Tensor> = {};
    const fetches: Record<string, Tensor> = { ...outputs };
    for (const name of model.state) feeds[name] = stateOf(state, name).front;
    for (const name of model.feeds) feeds[name] = this.#tensor(given[name] as HostTensor);
    for (const [name, port] of Object.entries(model.updates)) {
      const slot = stateOf(state, name);
      slot.back ??= this.#empty(port);
      fetches[port.name] = slot.back;
    }
    await session.run(feeds, fetches);
    // A guard that is false keeps the old state: the front buffers stay in front.
    const kept = model.guard !== undefined && outputs[model.guard.name]?.data[0] === 0;
    for (const name of kept ? [] : Object.keys(model.updates)) {
      const slot = stateOf(state, name);
      [slot.front, slot.back] = [slot.back as Tensor, slot.front];
    }
    return Object.fromEntries(
      Object.entries(model.outputs).map(([name, port]) => [name, hostOf(outputs[port.name] as Tensor, port)]),
    );
  }

  #executable(id: number): Loaded {
    const found = this.#loaded.get(id);
    invariant(found !== undefined, `the worker knows no executable ${id}`);
    return found;
  }

  #session(id: number): Map<string, State> {
    const found = this.#sessions.get(id);
    invariant(found !== undefined, `the worker knows no session ${id}`);
    return found;
  }

  #state(value: HostTensor): State {
    return { front: this.#tensor(value), back: undefined, type: { dtype: value.dtype, shape: value.shape } };
  }

  #empty({ dtype, shape }: TensorType): Tensor {
    return this.#tensor(hostTensor(dtype, shape));
  }

  #tensor({ dtype, shape, data }: HostTensor): Tensor {
    const { Tensor } = this.#runtime;
    const make = makers[dtype];
    invariant(make !== undefined, `a tensor of ${dtype} reached the worker`);
    return make(Tensor, data, shape);
  }
}

type Make = (T: Runtime["Tensor"], data: HostTensor["data"], shape: readonly number[]) => Tensor;

const makers: { readonly [D in DType]?: Make } = {
  f32: (T, data, shape) => new T("float32", data as Float32Array, shape),
  i32: (T, data, shape) => new T("int32", data as Int32Array, shape),
  u32: (T, data, shape) => new T("uint32", data as Uint32Array, shape),
  bool: (T, data, shape) => new T("bool", data as Uint8Array, shape),
};

function stateOf(state: Map<string, State>, name: string): State {
  const found = state.get(name);
  invariant(found !== undefined, `the worker has no state "${name}"`);
  return found;
}

const hostOf = (tensor: Tensor, { dtype, shape }: TensorType): HostTensor => ({
  dtype,
  shape,
  data: tensor.data as HostTensor["data"],
});
