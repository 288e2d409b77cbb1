/**
 * The TensorFlow.js backend. Compilation turns a program into a flat list of kernel calls, and a run makes these calls
 * one after another.
 *
 * Gradients come from the graph, never from TensorFlow.js. There is no tape, no scope and no variable. A slot is
 * emptied after its last reader, so the number of tensors is the same after every run.
 */
import {
  programText,
  type Backend,
  type Capabilities,
  type CompileOptions,
  type Executable,
  type Session,
} from "@cloze/backend";
import { ConfigError, UnsupportedError } from "@cloze/errors";
import type { HostTensors, Program } from "@cloze/graph";
import type { Constant } from "./builder.ts";
import { compileProgram } from "./compile.ts";
import { DTYPES } from "./host.ts";
import { COMPOSITES, type Device } from "./kernels.ts";
import { load, type Kind, type LoadOptions } from "./load.ts";
import { TfjsSession, type Loaded, type SessionHost } from "./session.ts";
import type { DeviceTensor, Engine, Tfjs } from "./tfjs.ts";

export interface TfjsOptions extends LoadOptions {
  /** The caller's own TensorFlow.js, with its backend set. Without it `kind` decides which one is loaded. */
  readonly tf?: Tfjs;
  /** Default "node". */
  readonly kind?: Kind;
}

/** Throws UnsupportedError, with the remedy, where this TensorFlow.js cannot run. */
export async function backend({ tf, kind = "node", ...options }: TfjsOptions = {}): Promise<Backend> {
  if (tf === undefined) {
    const loaded = await load(kind, options);
    return new TfjsBackend(loaded.tf, loaded.name, loaded.device, `tfjs:${kind}`);
  }
  await tf.ready();
  const name = tf.getBackend();
  return new TfjsBackend(tf, name, `TensorFlow.js, ${name}`, `tfjs:${name}`);
}

const deviceOf = (name: string): Device => ({
  native: name === "tensorflow",
  transposesFirst: name === "wasm",
  doubles: name === "cpu",
  sequentialSums: name === "wasm",
});

/** A compiled program. Equal programs share one. */
interface Shared {
  readonly key: string;
  readonly loaded: Loaded;
  users: number;
}

class TfjsBackend implements Backend, SessionHost {
  readonly name: string;
  readonly tf: Tfjs;
  readonly capabilities: Capabilities;
  /** The backend's name inside TensorFlow.js. */
  readonly #engineName: string;
  readonly #shared = new Map<string, Shared>();
  readonly #compiled = new Map<Executable, Shared>();
  readonly #sessions = new Set<Session>();
  #open = true;

  constructor(tf: Tfjs, engineName: string, device: string, name: string) {
    this.tf = tf;
    this.name = name;
    this.#engineName = engineName;
    this.capabilities = { device, dtypes: DTYPES, composites: COMPOSITES, limits: { tensorBytes: 2 ** 31 - 1 } };
  }

  async compile(program: Program, { compute = "f32" }: CompileOptions = {}): Promise<Executable> {
    this.#check();
    if (compute !== "f32")
      throw new UnsupportedError(
        `backend ${this.name}: compute ${compute}: TensorFlow.js computes in f32 only. Leave the precision out, ` +
          "or take another backend.",
      );
    const engine = await this.engine();
    const key = programText(program);
    const shared = this.#shared.get(key) ?? { key, loaded: this.#load(program, engine), users: 0 };
    this.#shared.set(key, shared);
    shared.users++;
    const executable: Executable = { program, plan: shared.loaded.plan, dispose: () => this.#unload(executable) };
    this.#compiled.set(executable, shared);
    return executable;
  }

  async start(state: HostTensors): Promise<Session> {
    this.#check();
    const session = await TfjsSession.start(this, state);
    this.#sessions.add(session);
    return session;
  }

  async dispose(): Promise<void> {
    if (!this.#open) return;
    for (const session of this.#sessions) await session.dispose();
    for (const executable of this.#compiled.keys()) await this.#unload(executable);
    this.#open = false;
  }

  loaded(executable: Executable): Loaded {
    const found = this.#compiled.get(executable);
    if (found === undefined)
      throw new ConfigError(
        `backend ${this.name}: expected an executable that this backend compiled and that is not disposed, got ` +
          "another. Compile the program with the backend that started the session.",
      );
    return found.loaded;
  }

  async engine(): Promise<Engine> {
    if (this.tf.getBackend() !== this.#engineName) await this.tf.setBackend(this.#engineName);
    return this.tf.engine();
  }

  ended(session: Session): void {
    this.#sessions.delete(session);
  }

  #load(program: Program, engine: Engine): Loaded {
    const has = (kernel: string): boolean => Boolean(this.tf.getKernel(kernel, this.#engineName));
    const compiled = compileProgram(program, { ...deviceOf(this.#engineName), name: this.name, has });
    return { ...compiled, held: compiled.constants.map((c) => [c.slot, constantOn(engine, c)] as const) };
  }

  async #unload(executable: Executable): Promise<void> {
    const shared = this.#compiled.get(executable);
    if (shared === undefined) return;
    this.#compiled.delete(executable);
    if (--shared.users > 0) return;
    this.#shared.delete(shared.key);
    await this.engine();
    for (const [, tensor] of shared.loaded.held) tensor.dispose();
  }

  #check(): void {
    if (!this.#open) throw new ConfigError(`backend ${this.name}: it was disposed. Open another.`);
  }
}

const constantOn = (engine: Engine, { dtype, shape, values }: Constant): DeviceTensor =>
  engine.makeTensor(values.slice(), [...shape], dtype);
