/** A session: state in the worker, under the names that programs use. */
import { checkFeeds, checkProgramState, checkWritten, stateNamed, type Executable, type Session } from "@cloze/backend";
import type { HostTensor, HostTensors, Program, TensorType } from "@cloze/graph";
import { narrow, widen } from "@cloze/onnx";
import type { WorkerClient } from "./worker-client.ts";

/** An executable's data for a session. */
export interface Compiled {
  readonly id: number;
  readonly feeds: ReadonlySet<string>;
  /** Settles once the worker has loaded the program. */
  readonly loaded: Promise<void>;
}

export class OrtSession implements Session {
  readonly #client: WorkerClient;
  readonly #id: number;
  readonly #types: ReadonlyMap<string, TensorType>;
  readonly #compiled: (executable: Executable) => Compiled;
  /** Programs whose state this session has. */
  readonly #checked = new WeakSet<Program>();

  constructor(
    client: WorkerClient,
    id: number,
    types: ReadonlyMap<string, TensorType>,
    compiled: (executable: Executable) => Compiled,
  ) {
    this.#client = client;
    this.#id = id;
    this.#types = types;
    this.#compiled = compiled;
  }

  async run(executable: Executable, feeds: HostTensors): Promise<HostTensors> {
    const { program } = executable;
    const { id, feeds: read } = this.#compiled(executable);
    checkFeeds(program, feeds);
    this.#checkState(program);
    const { tensors, buffers } = packed(Object.entries(feeds).filter(([name]) => read.has(name)));
    const out = await this.#client.request("run", { session: this.#id, executable: id, feeds: tensors }, buffers);
    return mapTensors(out, (name, value) => narrow(value, (program.outputs[name] as TensorType).dtype));
  }

  async read(names: readonly string[] = [...this.#types.keys()]): Promise<HostTensors> {
    for (const name of names) stateNamed(this.#types, name);
    const out = await this.#client.request("read", { session: this.#id, names });
    return mapTensors(out, (name, value) => narrow(value, stateNamed(this.#types, name).dtype));
  }

  async write(state: HostTensors): Promise<void> {
    checkWritten(this.#types, state);
    const { tensors, buffers } = packed(Object.entries(state));
    await this.#client.request("write", { session: this.#id, state: tensors }, buffers);
  }

  async dispose(): Promise<void> {
    await this.#client.request("end", { session: this.#id });
  }

  #checkState(program: Program): void {
    if (this.#checked.has(program)) return;
    checkProgramState(program, this.#types);
    this.#checked.add(program);
  }
}

/** Widened copies, and their buffers to transfer to the worker. */
export function packed(entries: readonly (readonly [string, HostTensor])[]): {
  readonly tensors: HostTensors;
  readonly buffers: readonly ArrayBufferLike[];
} {
  const tensors = Object.fromEntries(
    entries.map(([name, value]) => {
      const wide = widen(value);
      return [
        name,
        { dtype: wide.dtype, shape: [...wide.shape], data: wide === value ? value.data.slice() : wide.data },
      ];
    }),
  );
  return { tensors, buffers: Object.values(tensors).map((t) => t.data.buffer) };
}

const mapTensors = (tensors: HostTensors, f: (name: string, value: HostTensor) => HostTensor): HostTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, f(name, value)]));
