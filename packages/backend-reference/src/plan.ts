/** The plan of the interpreter: the number of nodes of each op, and the largest number of bytes alive at once. */
import type { Plan } from "@cloze/backend";
import { bytesOf, order, peakLiveBytes, programRoots, type Program } from "@cloze/graph";

export function planOf(program: Program): Plan {
  const counts = new Map<string, number>();
  for (const { op } of order(programRoots(program))) counts.set(op, (counts.get(op) ?? 0) + 1);
  return {
    backend: "reference",
    steps: [...counts].map(([kernel, count]) => ({ kernel, count })),
    stateBytes: program.state.reduce((sum, s) => sum + bytesOf(s), 0),
    peakBytes: peakLiveBytes(program),
  };
}
