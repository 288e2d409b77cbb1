/** The checks of a caller's feeds and state. With them all backends throw the same errors. */
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

/** Throws ConfigError where a feed of the program is missing, has the wrong type, or is unknown. */
export function checkFeeds(program: Program, feeds: HostTensors): void {
  check("feed", program.feeds, feeds);
  const known = new Set(program.feeds.map((f) => f.attrs.name));
  const extra = Object.keys(feeds).find((name) => !known.has(name));
  if (extra !== undefined)
    throw new ConfigError(`feed "${extra}": the program has no such feed. It has: ${[...known].join(", ")}.`);
}

/** Throws ConfigError where state that the program reads is missing or has the wrong type. */
export function checkState(program: Program, state: Given): void {
  check("state", program.state, state);
}

/** The types of a session's state, by name. */
type StateTypes = ReadonlyMap<string, TensorType>;

/** The value that a session holds under a name. Throws ConfigError, with all names, where there is none. */
export function stateNamed<T>(held: ReadonlyMap<string, T>, name: string): T {
  const found = held.get(name);
  if (found === undefined)
    throw new ConfigError(`state "${name}": the session has no such state. It has: ${[...held.keys()].join(", ")}.`);
  return found;
}

/** Throws ConfigError where new state has an unknown name or another type than the old state. */
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

/** Throws ConfigError where a session lacks state of the program, or has it with the wrong type. */
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
