/**
 * The search for the layer where a number stopped being finite.
 *
 * The loss runs again with the same feeds and parameters. Every node reports whether all of its elements are finite,
 * and the first node with a bad element names its layer. The search runs once, after a failure, so its speed does not
 * matter.
 */
import type { Backend, Session } from "@cloze/backend";
import { isFloat, order, type Graph, type HostTensors, type Tensor } from "@cloze/graph";
import { programOf, type FeedTypes } from "@cloze/nn";
import { gradientsOf, traceLoss, type TrainSetup } from "./train-programs.ts";

export interface Culprit {
  readonly layer: string;
  readonly op: string;
}

/**
 * The first node with a NaN or infinite element, arguments before results: first the parameters, then the loss, then
 * its gradient.
 */
export async function firstNonFinite(
  backend: Backend,
  session: Session,
  setup: TrainSetup,
  types: FeedTypes,
  feeds: HostTensors,
): Promise<Culprit | undefined> {
  const traced = traceLoss(setup, types);
  const { graph, loss, lossScale } = traced;
  const inputs = { ...traced.feeds, ...(lossScale && { lossScale }) };
  const forward = order([loss.sum]);
  const gradients = [...gradientsOf(traced).values()];
  const seen = new Set(forward);
  const nodes = [...forward, ...order(gradients).filter((x) => !seen.has(x))].filter(
    (x) => isFloat(x.dtype) && x.op !== "const",
  );
  // Each program has at most 200 outputs, because every output keeps its node alive while the program runs.
  for (let first = 0; first < nodes.length; first += 200) {
    const part = nodes.slice(first, first + 200);
    const asked = programOf(traced, {
      feeds: Object.values(inputs),
      outputs: Object.fromEntries(part.map((x, i) => [`bad.${i}`, countNonFinite(graph, x)])),
    });
    const executable = await backend.compile(asked, { compute: setup.compute ?? "f32" });
    const out = await session.run(executable, feeds);
    await executable.dispose();
    const found = part.find((_, i) => (out[`bad.${i}`]?.data[0] as number) > 0);
    if (found !== undefined) return { layer: nameOf(found), op: opOf(found) };
  }
  return undefined;
}

/** How many elements are NaN or infinite. */
function countNonFinite(graph: Graph, x: Tensor): Tensor {
  const value = x.cast("f32");
  return value.abs().less(Infinity).select(graph.const(0, "f32"), 1).broadcast(x.shape).sum();
}

const opOf = (x: Tensor): string => ("composite" in x.attrs ? x.attrs.composite.name : x.op);
const nameOf = (x: Tensor): string =>
  "name" in x.attrs
    ? `parameter ${x.attrs.name}`
    : x.path === ""
      ? "the loss"
      : x.path.endsWith("'")
        ? `${x.path.slice(0, -1)} (backward)`
        : x.path;
