/** A program as text, by which a backend knows an equal one again. */
import { print, programRoots, type Program } from "@cloze/graph";

/** Equal programs have one text: their nodes, and the names under which values come and go. */
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
