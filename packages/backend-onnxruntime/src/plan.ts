/** The plan of a program: its operators, the bytes of its state, and the most bytes that live at the same time. */
import type { Plan } from "@cloze/backend";
import { bytesPerElement, order, programRoots, sizeOf, type Program, type TensorType } from "@cloze/graph";
import type { OnnxModel } from "@cloze/onnx";

const bytesOf = (x: TensorType): number => sizeOf(x.shape) * bytesPerElement[x.dtype];

export function planOf(lowered: Program, model: OnnxModel): Plan {
  const steps = [...model.operators]
    .map(([kernel, count]) => ({ kernel, count }))
    .sort((a, b) => b.count - a.count || (a.kernel < b.kernel ? -1 : 1));
  return {
    backend: "onnxruntime",
    steps,
    stateBytes: lowered.state.reduce((n, s) => n + bytesOf(s), 0),
    peakBytes: peakOf(lowered),
  };
}

/**
 * The most bytes of temporaries that live at the same time. A temporary lives from its node to its last reader. An
 * upper bound: ONNX Runtime also works in place.
 */
function peakOf(lowered: Program): number {
  const roots = new Set(programRoots(lowered));
  const nodes = order(roots).filter((x) => x.op !== "input" && x.op !== "const");
  const last = new Map(nodes.flatMap((x) => x.args.map((a) => [a, x] as const)));
  let now = 0;
  let peak = 0;
  for (const x of nodes) {
    now += bytesOf(x);
    peak = Math.max(peak, now);
    for (const a of new Set(x.args))
      if (last.get(a) === x && !roots.has(a) && a.op !== "input" && a.op !== "const") now -= bytesOf(a);
  }
  return peak;
}
