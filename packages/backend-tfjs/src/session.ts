/** A session: state on the device, and runs over it, one after another. */
import { checkFeeds, checkProgramState, checkWritten, stateNamed, type Executable, type Session } from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import {
  randomBits,
  rowBits,
  sizeOf,
  type HostTensor,
  type HostTensors,
  type Program,
  type TensorType,
} from "@cloze/graph";
import type { Call } from "./builder.ts";
import type { Compiled, Result } from "./compile.ts";
import { download, upload } from "./host.ts";
import { runError } from "./run-error.ts";
import type { DeviceTensor, Engine } from "./tfjs.ts";

/** A compiled program with its constants on the device. */
export interface Loaded extends Compiled {
  readonly held: readonly (readonly [slot: number, tensor: DeviceTensor])[];
}

export interface SessionHost {
  readonly name: string;
  loaded(executable: Executable): Loaded;
  /** Makes this session's backend the active one of TensorFlow.js and returns its engine. */
  engine(): Promise<Engine>;
  /** Called after the session is disposed. */
  ended(session: Session): void;
}

interface Held extends TensorType {
  tensor: DeviceTensor;
}

export class TfjsSession implements Session {
  readonly #host: SessionHost;
  readonly #state: Map<string, Held>;
  readonly #checked = new WeakSet<Program>();
  #last: Promise<unknown> = Promise.resolve();
  #open = true;

  private constructor(host: SessionHost, state: Map<string, Held>) {
    this.#host = host;
    this.#state = state;
  }

  static async start(host: SessionHost, state: HostTensors): Promise<TfjsSession> {
    checkWritten(new Map(Object.entries(state)), state);
    const engine = await host.engine();
    return new TfjsSession(
      host,
      new Map(
        Object.entries(state).map(([name, tensor]) => [
          name,
          { dtype: tensor.dtype, shape: tensor.shape, tensor: upload(engine, tensor) },
        ]),
      ),
    );
  }

  async run(executable: Executable, feeds: HostTensors): Promise<HostTensors> {
    this.#check("run");
    const { program } = executable;
    const loaded = this.#host.loaded(executable);
    checkFeeds(program, feeds);
    this.#checkState(program);
    const own = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, { ...t, data: t.data.slice() }]));
    return this.#next(() => this.#run(loaded, own));
  }

  async read(names?: readonly string[]): Promise<HostTensors> {
    this.#check("read");
    for (const name of names ?? []) stateNamed(this.#state, name);
    return this.#next(async () => {
      await this.#host.engine();
      const all = (names ?? [...this.#state.keys()]).map((name) => [name, stateNamed(this.#state, name)] as const);
      return Object.fromEntries(
        await Promise.all(all.map(async ([name, held]) => [name, await download(held.tensor, held)] as const)),
      );
    });
  }

  async write(state: HostTensors): Promise<void> {
    this.#check("write");
    checkWritten(this.#state, state);
    const own = Object.entries(state).map(([name, t]) => [name, { ...t, data: t.data.slice() }] as const);
    await this.#next(async () => {
      const engine = await this.#host.engine();
      for (const [name, tensor] of own) this.#replace(name, upload(engine, tensor));
    });
  }

  async dispose(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#next(async () => {
      await this.#host.engine();
      for (const { tensor } of this.#state.values()) tensor.dispose();
      this.#state.clear();
    });
    this.#host.ended(this);
  }

  /** Runs `work` after all earlier work, even where the earlier work failed. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #run(loaded: Loaded, feeds: HostTensors): Promise<HostTensors> {
    const engine = await this.#host.engine();
    const slots = new Array<DeviceTensor | undefined>(loaded.slots);
    const lasting = new Set<number>();
    for (const { name, slot } of loaded.state) {
      slots[slot] = stateNamed(this.#state, name).tensor;
      lasting.add(slot);
    }
    for (const [slot, tensor] of loaded.held) {
      slots[slot] = tensor;
      lasting.add(slot);
    }
    try {
      for (const { name, slot } of loaded.feeds) slots[slot] = upload(engine, feeds[name] as HostTensor);
      for (const { call, drop } of loaded.steps) {
        slots[call.out] = compute(engine, call, slots, this.#host.name);
        for (const slot of drop) {
          slots[slot]?.dispose();
          slots[slot] = undefined;
        }
      }
      const outputs = await this.#results(loaded.outputs, slots);
      if (loaded.guard !== undefined && (await (slots[loaded.guard] as DeviceTensor).data())[0] === 0) return outputs;
      for (const { name, slot } of loaded.updates) {
        this.#replace(name, slots[slot] as DeviceTensor);
        lasting.add(slot);
      }
      return outputs;
    } finally {
      slots.forEach((tensor, slot) => {
        if (!lasting.has(slot)) tensor?.dispose();
      });
    }
  }

  async #results(results: readonly Result[], slots: readonly (DeviceTensor | undefined)[]): Promise<HostTensors> {
    return Object.fromEntries(
      await Promise.all(results.map(async (r) => [r.name, await download(slots[r.slot] as DeviceTensor, r)] as const)),
    );
  }

  #replace(name: string, tensor: DeviceTensor): void {
    const held = stateNamed(this.#state, name);
    held.tensor.dispose();
    held.tensor = tensor;
  }

  #check(what: string): void {
    if (!this.#open) throw new ConfigError(`session.${what}: the session is disposed. Start another.`);
  }

  #checkState(program: Program): void {
    if (this.#checked.has(program)) return;
    checkProgramState(program, this.#state);
    this.#checked.add(program);
  }
}

function compute(
  engine: Engine,
  call: Call,
  slots: readonly (DeviceTensor | undefined)[],
  backend: string,
): DeviceTensor {
  const at = (slot: number): DeviceTensor => slots[slot] as DeviceTensor;
  if ("random" in call) {
    const { key, shape, bits, stream } = call.random;
    const words = Uint32Array.from(at(key).dataSync());
    const drawn =
      at(key).shape.length === 2
        ? rowBits(words, stream, shape, bits)
        : randomBits([words[0] as number, words[1] as number], stream, sizeOf(shape), bits);
    return engine.makeTensor(new Int32Array(drawn.buffer, drawn.byteOffset, drawn.length), [...shape], "int32");
  }
  const { kernel, inputs, attrs, path } = call;
  try {
    const named = Array.isArray(inputs)
      ? inputs.map(at)
      : Object.fromEntries(
          Object.entries(inputs as Readonly<Record<string, number>>).map(([name, slot]) => [name, at(slot)]),
        );
    return engine.runKernel(kernel, named as Readonly<Record<string, unknown>>, attrs) as DeviceTensor;
  } catch (error) {
    throw runError(backend, kernel, path, error);
  }
}
