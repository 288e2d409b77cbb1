/**
 * The backend over one device. It compiles each program once. Each session has its own state, and all runs share one
 * lane.
 *
 *   compile: program -> kernels (from the compiler) -> places -> pipelines, remembered by the text of the program
 *   start:   lays out the state and uploads it
 *   run:     uploads feeds, submits the kernels, reads outputs back
 */
import {
  programText,
  type Backend,
  type Capabilities,
  type CompileOptions,
  type Executable,
  type Session,
} from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import type { DType, HostTensors, Program } from "@cloze/graph";
import type { Compiled } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { DeviceProgram } from "./device-program.ts";
import type { OpenDevice } from "./device.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";
import { startSession, type WebGpuSession } from "./session.ts";
import type { KernelTime } from "./timing.ts";

export type Compute = NonNullable<CompileOptions["compute"]>;

/** The compiler from programs to kernels. */
export interface Compiler {
  /** The composites that the compiler does not expand. */
  readonly composites: readonly string[];
  readonly compile: (
    program: Program,
    options: { readonly profile: Profile; readonly compute: Compute },
  ) => Compiled | Promise<Compiled>;
}

export interface WebGpuBackend extends Backend {
  readonly profile: Profile;
  /** The features that are on or off on this device, and the reasons, as text. */
  readonly notes: Readonly<Record<string, string>>;
  /** The time of each kernel since the last call, the longest first. Empty unless the backend has `timestamps`. */
  kernelTimes(): readonly KernelTime[];
  /** The number of live buffers on the device, and their bytes. */
  memory(): { readonly buffers: number; readonly bytes: number };
}

/** A program on the device. Equal programs share one. */
interface Shared {
  readonly key: string;
  readonly made: Promise<DeviceProgram>;
  users: number;
}

export function createBackend(opened: OpenDevice, compiler: Compiler, options: RuntimeOptions = {}): WebGpuBackend {
  return new DeviceBackend(opened, compiler, options);
}

const DTYPES: readonly DType[] = ["f32", "i32", "u32", "bool"];

class DeviceBackend implements WebGpuBackend {
  readonly name = "webgpu";
  readonly capabilities: Capabilities;
  readonly profile: Profile;
  readonly notes: Readonly<Record<string, string>>;
  readonly #opened: OpenDevice;
  readonly #runtime: Runtime;
  readonly #compiler: Compiler;
  readonly #shared = new Map<string, Shared>();
  readonly #keys = new WeakMap<Program, string>();
  readonly #executables = new Map<Executable, DeviceProgram>();
  #open = true;

  constructor(opened: OpenDevice, compiler: Compiler, options: RuntimeOptions) {
    const { profile, notes } = opened;
    this.#opened = opened;
    this.#compiler = compiler;
    this.#runtime = createRuntime(opened, options);
    this.profile = profile;
    this.notes = notes;
    this.capabilities = {
      device: profile.device,
      dtypes: profile.f16 ? [...DTYPES, "f16"] : DTYPES,
      composites: compiler.composites,
      limits: {
        tensorBytes: Math.min(profile.limits.bindingBytes, profile.limits.bufferBytes),
        ...(options.maxBytes === undefined ? {} : { memoryBytes: options.maxBytes }),
      },
    };
  }

  kernelTimes(): readonly KernelTime[] {
    return this.#runtime.timing?.take() ?? [];
  }

  memory(): { readonly buffers: number; readonly bytes: number } {
    return { buffers: this.#runtime.buffers.count, bytes: this.#runtime.buffers.bytes };
  }

  async compile(program: Program, { compute = "f32" }: CompileOptions = {}): Promise<Executable> {
    this.#runtime.health.check();
    const key = this.#key(program, compute);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = { key, made: this.#make(program, compute), users: 0 };
      this.#shared.set(key, shared);
    }
    shared.users++;
    try {
      return this.#executable(program, shared, await shared.made);
    } catch (error) {
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
      throw error;
    }
  }

  start(state: HostTensors): Promise<Session> {
    return startSession(
      this.#runtime,
      { find: (executable) => this.#find(executable), unlink: (session) => this.#unlink(session) },
      state,
    );
  }

  async dispose(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#runtime.health.end();
    this.#executables.clear();
    this.#runtime.buffers.releaseAll();
    this.#opened.close();
  }

  async #make(program: Program, compute: Compute): Promise<DeviceProgram> {
    const compiled = await this.#compiler.compile(program, { profile: this.profile, compute });
    const made = new DeviceProgram(this.#runtime, program, compiled);
    await made.prepare();
    return made;
  }

  #executable(program: Program, shared: Shared, made: DeviceProgram): Executable {
    const executable: Executable = {
      program,
      plan: made.plan,
      dispose: async () => {
        if (!this.#executables.delete(executable) || --shared.users > 0) return;
        this.#shared.delete(shared.key);
        await this.#runtime.lane.next(async () => made.dispose());
      },
    };
    this.#executables.set(executable, made);
    return executable;
  }

  #find(executable: Executable): DeviceProgram {
    const found = this.#executables.get(executable);
    if (found === undefined)
      throw new ConfigError(
        "backend webgpu: expected an executable that this backend compiled and that is not disposed, got " +
          "another. Compile the program with the backend that started the session.",
      );
    return found;
  }

  #unlink(session: WebGpuSession): void {
    for (const program of new Set(this.#executables.values())) program.unlink(session);
  }

  /** The key of a program and its compute type. Equal programs have equal keys. */
  #key(program: Program, compute: Compute): string {
    const text = this.#keys.get(program) ?? programText(program);
    this.#keys.set(program, text);
    return `${compute}\n${text}`;
  }
}
