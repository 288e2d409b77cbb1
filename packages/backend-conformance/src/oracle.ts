/** The oracle: the interpreter's outputs of a program, and the state after the run. */
import {
  fromNumbers,
  interpret,
  programRoots,
  toNumbers,
  type HostTensor,
  type HostTensors,
  type Program,
  type Value,
} from "@cloze/graph";

const encode = ({ dtype, shape, data }: Value): HostTensor => fromNumbers(dtype, shape, data);

export function expected(
  program: Program,
  state: HostTensors,
  feeds: HostTensors,
): { readonly outputs: HostTensors; readonly state: HostTensors } {
  const env = Object.fromEntries(
    Object.entries({ ...state, ...feeds }).map(([name, tensor]) => [name, toNumbers(tensor)]),
  );
  const values = interpret(programRoots(program), env);
  const names = Object.keys(program.outputs);
  // Where a program has a guard, the guard is the last root.
  const replaces = program.guard === undefined || values.at(-1)?.data[0] === 1;
  const updates = replaces
    ? Object.keys(program.updates).map((name, i) => [name, encode(values[names.length + i] as Value)] as const)
    : [];
  return {
    outputs: Object.fromEntries(names.map((name, i) => [name, encode(values[i] as Value)])),
    state: { ...state, ...Object.fromEntries(updates) },
  };
}
