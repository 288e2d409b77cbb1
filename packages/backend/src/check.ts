/** Checks of what a caller hands to a session: the same words on every backend. */
import { ConfigError } from "@cloze/errors";
import { sameShape, showType, sizeOf, type HostTensors, type Program, type TensorType } from "@cloze/graph";

type Given = Readonly<Record<string, TensorType & { readonly data: ArrayLike<unknown> }>>;

function check(what: string, wanted: Program["feeds"], given: Given): void {
  for (const { attrs, dtype, shape } of wanted) {
    const tensor = given[attrs.name];
    if (tensor === undefined)
      throw new ConfigError(
        `${what} "${attrs.name}": expected ${showType({ dtype, shape })}, got nothing. Pass it by name.`,
      );
    if (tensor.dtype !== dtype || !sameShape(tensor.shape, shape) || tensor.data.length !== sizeOf(shape)) {
      throw new ConfigError(
        `${what} "${attrs.name}": expected ${showType({ dtype, shape })}, got ${showType(tensor)} with ` +
          `${tensor.data.length} elements.`,
      );
    }
  }
}

/** Every feed of the program is there, with its type. Throws ConfigError naming the first that is not. */
export function checkFeeds(program: Program, feeds: HostTensors): void {
  check("feed", program.feeds, feeds);
  const known = new Set(program.feeds.map((f) => f.attrs.name));
  const extra = Object.keys(feeds).find((name) => !known.has(name));
  if (extra !== undefined)
    throw new ConfigError(`feed "${extra}": the program has no such feed. It has: ${[...known].join(", ")}.`);
}

/** Every piece of state the program reads is in the session, with its type. */
export function checkState(program: Program, state: Given): void {
  check("state", program.state, state);
}

/** The state of a session by its types. */
type StateTypes = ReadonlyMap<string, TensorType>;

/** What a session holds under a name. Throws ConfigError naming what it has. */
export function stateNamed<T>(held: ReadonlyMap<string, T>, name: string): T {
  const found = held.get(name);
  if (found === undefined)
    throw new ConfigError(`state "${name}": the session has no such state. It has: ${[...held.keys()].join(", ")}.`);
  return found;
}

/** What is to replace state has its names and types. */
export function checkWritten(types: StateTypes, state: HostTensors): void {
  for (const [name, value] of Object.entries(state)) {
    const want = stateNamed(types, name);
    if (value.dtype !== want.dtype || !sameShape(value.shape, want.shape) || value.data.length !== sizeOf(want.shape)) {
      throw new ConfigError(
        `state "${name}": expected ${showType(want)}, got ${showType(value)} with ${value.data.length} elements.`,
      );
    }
  }
}

/** What a program needs is in the session, of its type. */
export function checkProgramState(program: Program, types: StateTypes): void {
  for (const {
    attrs: { name },
    dtype,
    shape,
  } of program.state) {
    const have = types.get(name);
    if (have === undefined)
      throw new ConfigError(
        `state "${name}": expected ${showType({ dtype, shape })}, got nothing. Pass it to start().`,
      );
    if (have.dtype !== dtype || !sameShape(have.shape, shape))
      throw new ConfigError(`state "${name}": expected ${showType({ dtype, shape })}, got ${showType(have)}.`);
  }
}
