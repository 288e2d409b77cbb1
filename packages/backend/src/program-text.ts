/** The text of a program, by which a backend recognises an equal program. */
import { print, programRoots, type Program } from "@cloze/graph";

/** The nodes of a program and the names of its inputs and results. Equal programs have equal texts. */
export function programText({ outputs, updates, feeds, state, ...program }: Program): string {
  const names = (inputs: Program["feeds"]): string[] => inputs.map((x) => x.attrs.name);
  const shape = JSON.stringify([
    Object.keys(outputs),
    Object.keys(updates),
    names(feeds),
    names(state),
    program.guard !== undefined,
  ]);
  return `${shape}\n${print(programRoots({ outputs, updates, feeds, state, ...program }))}`;
}
