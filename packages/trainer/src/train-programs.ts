/**
 * The programs of training, traced from an objective, a model and an optimizer.
 *
 *   step        one batch: loss, gradient, clip, update
 *   accumulate  one of several parts of a batch: its sums are added to state on the device
 *   apply       the update from those sums
 *
 * Gradients are of the summed loss; the division by the global weight is one scalar in the update. So the parts of a batch, its
 * padding and the number of ranks cannot change the value. A run whose gradient is not finite leaves all state as it was.
 */
import { Graph, grad, program, type Program, type Tensor, type TensorType } from "@cloze/graph";
import { rootScope, type Parameter } from "@cloze/nn";
import type { LossTerms, Objective } from "@cloze/objective";
import { accumulate, accumulators, clipScale, resetAccumulators, type ByName, type Optimizer } from "@cloze/optim";
import type { ModelSource } from "./model-source.ts";

export interface TrainSetup {
  readonly source: ModelSource;
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  /** Largest global norm of the gradient; undefined: never clipped. */
  readonly clip: number | undefined;
}

export type FeedTypes = Readonly<Record<string, TensorType>>;

interface TracedLoss {
  readonly graph: Graph;
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly terms: LossTerms;
}

/** Traces the loss over feeds of these types. The dropout key is the feed `random.key`, u32 [2] = (seed, step). */
export function traceLoss({ source, objective }: Pick<TrainSetup, "source" | "objective">, types: FeedTypes): TracedLoss {
  const graph = new Graph(), key = graph.input("random.key", "u32", [2]), scope = rootScope(graph, { random: { key } });
  const feeds: Record<string, Tensor> = { "random.key": key };
  for (const [name, { dtype, shape }] of Object.entries(types)) feeds[name] = graph.input(name, dtype, shape);
  const terms = objective.loss(scope, source.model, feeds);
  return { graph, feeds, terms, parameters: scope.parameters };
}

const gradientsOf = ({ terms, parameters }: TracedLoss): ByName => {
  const names = [...parameters.keys()], made = grad(terms.loss.sum, [...parameters.values()].map((p) => p.tensor));
  return new Map(names.map((name, i) => [name, made[i] as Tensor<"f32">]));
};

/** Everything that is summed over a batch, by name: `loss`, `weight`, `metric.<name>.sum`, `metric.<name>.weight`. */
function sumsOf({ loss, metrics }: LossTerms): Record<string, Tensor<"f32">> {
  const sums: Record<string, Tensor<"f32">> = { loss: loss.sum, weight: loss.weight };
  for (const [name, { sum, weight }] of Object.entries(metrics)) {
    sums[`metric.${name}.sum`] = sum;
    sums[`metric.${name}.weight`] = weight;
  }
  return sums;
}

const tensorsOf = (parameters: ReadonlyMap<string, Parameter>): Tensor[] => [...parameters.values()].map((p) => p.tensor);

/** True while the number is finite: NaN compares false. */
const isFinite = (x: Tensor<"f32">): Tensor<"bool"> => x.abs().less(Infinity);

function updateProgram(traced: TracedLoss, setup: TrainSetup, gradients: ByName, sums: Readonly<Record<string, Tensor<"f32">>>, more: { readonly state: readonly Tensor[]; readonly updates: Readonly<Record<string, Tensor>>; readonly feeds: readonly Tensor[] }): Program {
  const { graph, parameters } = traced, weight = sums["weight"] as Tensor<"f32">;
  const { scale, norm } = clipScale(gradients, { weight, ...(setup.clip === undefined ? {} : { maxNorm: setup.clip }) });
  const { state, updates } = setup.optimizer.update({ graph, parameters, gradients, gradScale: scale });
  return program(graph, {
    state: [...tensorsOf(parameters), ...state, ...more.state],
    outputs: { ...sums, gradNorm: norm },
    updates: { ...updates, ...more.updates },
    guard: isFinite(norm.add(sums["loss"] as Tensor<"f32">)),
    feeds: more.feeds,
  });
}

/** Loss, gradient and update of one batch in one program. */
export function stepProgram(setup: TrainSetup, types: FeedTypes): Program {
  const traced = traceLoss(setup, types);
  return updateProgram(traced, setup, gradientsOf(traced), sumsOf(traced.terms), { state: [], updates: {}, feeds: Object.values(traced.feeds) });
}

/** Adds the sums of one part of a batch to the accumulators. Outputs the part's loss sum, to be checked as it goes. */
export function accumulateProgram(setup: TrainSetup, types: FeedTypes): Program {
  const traced = traceLoss(setup, types), sums = sumsOf(traced.terms);
  const into = accumulators(traced.graph, traced.parameters, Object.keys(sums));
  return program(traced.graph, {
    state: [...tensorsOf(traced.parameters), ...into.state],
    outputs: { loss: sums["loss"] as Tensor },
    updates: accumulate(into, gradientsOf(traced), sums),
    feeds: Object.values(traced.feeds),
  });
}

/** The update from the accumulated sums; empties the accumulators. `types` are those of any part: only names are taken from them. */
export function applyProgram(setup: TrainSetup, types: FeedTypes): Program {
  const traced = traceLoss(setup, types);
  const into = accumulators(traced.graph, traced.parameters, Object.keys(sumsOf(traced.terms)));
  return updateProgram(traced, setup, into.gradients, Object.fromEntries(into.sums), { state: into.state, updates: resetAccumulators(into), feeds: [] });
}
