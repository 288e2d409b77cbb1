/**
 * The reference backend: the interpreter behind the backend interface. It is slow and exact, and all other backends are
 * compared with it.
 *
 * It runs programs with `interpret`, node by node, and rounds every result to its dtype (with precision "f64" it does
 * not round). It changes nothing in a program but the expansion of composites, so its results are those of the
 * definition.
 */
import {
  available,
  checkFeeds,
  checkState,
  stateNamed,
  type Backend,
  type CompileOptions,
  type Executable,
  type HostTensor,
  type HostTensors,
  type Probe,
  type Session,
} from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import {
  expandRules,
  fromNumbers,
  interpretByNode,
  lower,
  programRoots,
  rewrite,
  sameShape,
  showType,
  sizeOf,
  toNumbers,
  withRoots,
  type Program,
  type Value,
} from "@cloze/graph";
import { planOf } from "./plan.ts";

export interface ReferenceOptions {
  /**
   * "native" rounds every result to its dtype. "f64" rounds floats only when they are read from the session. Default
   * "native".
   */
  readonly precision?: "native" | "f64";
}

/**
 * Always available, because the backend is plain JavaScript, and always a last resort: it takes hours where other
 * backends take minutes.
 */
export function probe(): Promise<Probe> {
  return Promise.resolve(
    available(
      "CPU, the interpreter",
      { speed: "for tests and very small models" },
      { lastResort: "it takes hours for what others do in minutes" },
    ),
  );
}

export function backend(options: ReferenceOptions = {}): Backend {
  const { precision = "native" } = options;
  const compiled = new WeakSet<Executable>();
  return {
    name: "reference",
    capabilities: {
      device: "CPU, the interpreter",
      dtypes: ["f32", "f16", "bf16", "i32", "u32", "bool"],
      composites: [],
      limits: { tensorBytes: 2 ** 31 },
    },
    async compile(program: Program, { compute = "f32" }: CompileOptions = {}): Promise<Executable> {
      const lowered = compute === "f32" ? expanded(program) : lower(program, { compute });
      const executable = {
        program: lowered,
        plan: planOf(lowered),
        dispose: async (): Promise<void> => void compiled.delete(executable),
      };
      compiled.add(executable);
      return executable;
    },
    async start(state: HostTensors): Promise<Session> {
      return new ReferenceSession(state, precision, compiled);
    },
    async dispose(): Promise<void> {},
  };
}

const expanded = (program: Program): Program =>
  withRoots(
    program,
    rewrite(
      programRoots(program),
      expandRules(() => false),
      "expand composites",
    ).roots,
  );

class ReferenceSession implements Session {
  readonly #state = new Map<string, Value>();
  readonly #precision: "native" | "f64";
  readonly #compiled: WeakSet<Executable>;
  #open = true;
  /** Settles after all calls so far. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(state: HostTensors, precision: "native" | "f64", compiled: WeakSet<Executable>) {
    this.#precision = precision;
    this.#compiled = compiled;
    for (const [name, tensor] of Object.entries(state)) this.#state.set(name, decode(name, tensor));
  }

  async run(executable: Executable, feeds: HostTensors): Promise<HostTensors> {
    this.#check("run");
    if (!this.#compiled.has(executable))
      throw new ConfigError(
        "session.run: expected a program compiled by this backend and not disposed, got another. Compile it first.",
      );
    const { program } = executable;
    checkFeeds(program, feeds);
    const env = Object.fromEntries(
      program.feeds.map(({ attrs: { name } }) => [name, Float64Array.from(toNumbers(feeds[name] as HostTensor))]),
    );
    return this.#inOrder(() => this.#run(program, env));
  }

  async read(names: readonly string[] = [...this.#state.keys()]): Promise<HostTensors> {
    this.#check("read");
    return this.#inOrder(async () =>
      Object.fromEntries(names.map((name) => [name, encode(stateNamed(this.#state, name))])),
    );
  }

  async write(state: HostTensors): Promise<void> {
    this.#check("write");
    const next = Object.entries(state).map(([name, tensor]) => {
      const old = stateNamed(this.#state, name);
      if (tensor.dtype !== old.dtype || !sameShape(tensor.shape, old.shape)) {
        throw new ConfigError(`state "${name}": expected ${showType(old)}, got ${showType(tensor)}.`);
      }
      return [name, decode(name, tensor)] as const;
    });
    await this.#inOrder(async () => next.forEach(([name, value]) => this.#state.set(name, value)));
  }

  async dispose(): Promise<void> {
    this.#open = false;
    await this.#inOrder(async () => this.#state.clear());
  }

  #check(what: string): void {
    if (!this.#open) throw new ConfigError(`session.${what}: the session is disposed. Start another.`);
  }

  /** A run gives the event loop turns, and in such a turn the caller may call again. */
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#before.then(work);
    this.#before = result.catch(() => undefined);
    return result;
  }

  async #run(program: Program, feeds: Readonly<Record<string, ArrayLike<number>>>): Promise<HostTensors> {
    const state = Object.fromEntries(this.#state);
    checkState(program, state);
    const env = { ...feeds };
    for (const { attrs } of program.state) env[attrs.name] = (state[attrs.name] as Value).data;
    const values = await withTurns(interpretByNode(programRoots(program), env, { precision: this.#precision }));
    const names = Object.keys(program.outputs);
    const kept = program.guard !== undefined && values.at(-1)?.data[0] === 0;
    if (!kept)
      Object.keys(program.updates).forEach((name, i) => this.#state.set(name, values[names.length + i] as Value));
    return Object.fromEntries(names.map((name, i) => [name, encode(values[i] as Value)]));
  }
}

/** Longest computation without a turn of the event loop, nodes that take longer aside. */
const TURN_MS = 50;

/** Runs to the end, and lets the event loop answer signals, timers and input on the way. */
async function withTurns<T>(work: Generator<undefined, T>): Promise<T> {
  let turnAt = performance.now() + TURN_MS;
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    if (performance.now() < turnAt) continue;
    await new Promise((resolve) => setTimeout(resolve));
    turnAt = performance.now() + TURN_MS;
  }
}

/** A copy of a tensor, so that later changes of the caller's array have no effect. */
function decode(name: string, tensor: HostTensor): Value {
  if (tensor.data.length !== sizeOf(tensor.shape)) {
    throw new ConfigError(
      `state "${name}": expected ${sizeOf(tensor.shape)} elements for ${showType(tensor)}, got ${tensor.data.length}.`,
    );
  }
  return { dtype: tensor.dtype, shape: tensor.shape, data: toNumbers({ ...tensor, data: tensor.data.slice() }) };
}

const encode = ({ dtype, shape, data }: Value): HostTensor => fromNumbers(dtype, shape, data);
