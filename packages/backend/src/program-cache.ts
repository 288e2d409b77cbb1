/**
 * A cache of compiled programs: each is compiled at most once, and the ones whose last use is oldest leave when there
 * are too many.
 *
 * A key is a list of texts and objects. Objects count by identity, as a model or an objective does.
 */
import type { HostTensors, Program } from "@cloze/graph";
import type { Backend, CompileOptions, Executable, Session } from "./backend.ts";

export type ProgramKey = readonly (string | object)[];

/**
 * Limits for programs that are not running. A backend may hold the temporaries of a program as long as the program
 * exists.
 */
export interface ProgramLimits {
  /** Number of programs. Default: any. */
  readonly count?: number;
  /** Bytes of their temporaries, where the backend knows them. Default: any. */
  readonly bytes?: number;
}

interface Cached {
  readonly made: Promise<Executable>;
  running: number;
  /** Bytes of the program's temporaries, known after compilation. */
  bytes: number;
}

export class ProgramCache {
  readonly #backend: Backend;
  readonly #compile: CompileOptions;
  readonly #limits: ProgramLimits;
  /** Programs by key, in the order of their last use. */
  readonly #programs = new Map<string, Cached>();
  readonly #numbers = new WeakMap<object, number>();
  #objects = 0;

  constructor(backend: Backend, compile: CompileOptions = {}, limits: ProgramLimits = {}) {
    this.#backend = backend;
    this.#compile = compile;
    this.#limits = limits;
  }

  /** The program of a key, which `build` makes at its first use. A program that failed to compile is built again. */
  get(key: ProgramKey, build: () => Program): Promise<Executable> {
    return this.#use(key, build).made;
  }

  /** Runs the program of a key. The program stays in the cache at least until its run is done. */
  async run(session: Session, key: ProgramKey, build: () => Program, feeds: HostTensors): Promise<HostTensors> {
    const cached = this.#use(key, build);
    cached.running++;
    try {
      return await session.run(await cached.made, feeds);
    } finally {
      cached.running--;
      await this.#makeRoom();
    }
  }

  /** Disposes of all programs. */
  async dispose(): Promise<void> {
    const programs = [...this.#programs.values()];
    this.#programs.clear();
    for (const { made } of programs) {
      const executable = await made.catch(() => undefined);
      await executable?.dispose();
    }
  }

  #use(key: ProgramKey, build: () => Program): Cached {
    const text = JSON.stringify(key.map((part) => (typeof part === "string" ? part : this.#numberOf(part))));
    const cached = this.#programs.get(text) ?? this.#made(text, build);
    this.#programs.delete(text);
    this.#programs.set(text, cached);
    return cached;
  }

  #made(text: string, build: () => Program): Cached {
    const made = Promise.resolve().then(() => this.#backend.compile(build(), this.#compile));
    const cached: Cached = { made, running: 0, bytes: 0 };
    made.then(
      ({ plan }) => {
        cached.bytes = plan.peakBytes ?? 0;
      },
      () => {
        if (this.#programs.get(text) === cached) this.#programs.delete(text);
      },
    );
    return cached;
  }

  #numberOf(value: object): number {
    const number = this.#numbers.get(value) ?? this.#objects++;
    this.#numbers.set(value, number);
    return number;
  }

  /** Disposes of the programs whose last use is oldest. Running programs stay, and so does the one used last. */
  async #makeRoom(): Promise<void> {
    const { count: most = Infinity, bytes: mostBytes = Infinity } = this.#limits;
    let count = this.#programs.size;
    let bytes = [...this.#programs.values()].reduce((sum, each) => sum + each.bytes, 0);
    const last = [...this.#programs.keys()].at(-1);
    for (const [key, program] of this.#programs) {
      if (count <= most && bytes <= mostBytes) return;
      if (program.running > 0 || key === last) continue;
      this.#programs.delete(key);
      count--;
      bytes -= program.bytes;
      await (await program.made).dispose();
    }
  }
}
