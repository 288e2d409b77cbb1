/**
 * The programs of training, traced from an objective, a model and an optimizer.
 *
 *   step        one batch: loss, gradient, clip, update
 *   accumulate  one of several parts of a batch: its sums are added to state on the device
 *   apply       the update from those sums
 *   reset       with a loss scale, before the first part: empty sums, for an update that was skipped has not emptied
 *               them
 *
 * Gradients are of the summed loss; the division by the global weight is one scalar in the update. So the parts of a
 * batch, its padding and the number of ranks cannot change the value. The terms of a loss of several are divided by
 * shares that come as feeds, each of the weight of its term in the global batch, and the update divides no more. A run
 * whose gradient is not finite leaves all state as it was.
 *
 * Feeds beside the objective's: `random.key`, the optimizer's scalars; `optim.lossScale` f32 [] with compute f16;
 * `train.update` i32 [] with `numbered`.
 */
import { Graph, program, rematerialise, type Program, type Tensor, type TensorType } from "@cloze/graph";
import { rootScope, type Parameter } from "@cloze/nn";
import { totalLoss, type AnyModel, type LossTerms, type Objective, type TotalLoss } from "@cloze/objective";
import {
  accumulate,
  accumulators,
  clipScale,
  gradients,
  resetAccumulators,
  type Accumulators,
  type ByName,
  type Optimizer,
} from "@cloze/optim";
import type { ModelSource } from "./model-source.ts";

export interface TrainSetup {
  readonly source: ModelSource<AnyModel>;
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  /** Largest global norm of the gradient; undefined: never clipped. */
  readonly clip: number | undefined;
  /**
   * What contractions are computed in; all else, parameters and moments included, is f32. With f16 the gradient has a
   * loss scale, and a step that overflows is skipped. Default "f32".
   */
  readonly compute?: "f32" | "f16" | "bf16";
  /**
   * Computes a layer's values again in the backward pass instead of keeping them: less memory, one more forward pass.
   * Default false.
   */
  readonly rematerialise?: boolean;
  /**
   * For a loop that calls a step before it knows how the one before ended: updates are numbered, and one that is not
   * the next to come replaces no state, so that nothing happens after a step that failed. Default false.
   */
  readonly numbered?: boolean;
}

export type FeedTypes = Readonly<Record<string, TensorType>>;

export interface TracedLoss {
  readonly graph: Graph;
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Those of them that the optimizer moves. */
  readonly trained: ReadonlyMap<string, Parameter>;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly terms: LossTerms;
  readonly loss: TotalLoss;
  /** f32 []: what the loss's cotangent is multiplied by, where 16 bits need it. */
  readonly lossScale: Tensor<"f32"> | undefined;
}

/** Traces the loss over feeds of these types. The dropout key is the feed `random.key`, u32 [2] = (seed, step). */
export function traceLoss(
  { source, objective, optimizer, compute }: Pick<TrainSetup, "source" | "objective" | "optimizer" | "compute">,
  types: FeedTypes,
): TracedLoss {
  const graph = new Graph();
  const key = graph.input("random.key", "u32", [2]);
  const scope = rootScope(graph, { random: { key } });
  const feeds: Record<string, Tensor> = { "random.key": key };
  for (const [name, { dtype, shape }] of Object.entries(types)) feeds[name] = graph.input(name, dtype, shape);
  const terms = objective.loss(scope, source.model, feeds);
  const parameters = scope.parameters;
  const trained = new Map([...parameters].filter(([name, { shape }]) => optimizer.trains?.(name, shape) ?? true));
  return {
    graph,
    feeds,
    terms,
    loss: totalLoss(terms, feeds),
    parameters,
    trained,
    lossScale: hasLossScale(compute) ? graph.input("optim.lossScale", "f32", []) : undefined,
  };
}

/** bf16 has the range of f32 and needs none. */
export const hasLossScale = (compute: TrainSetup["compute"]): boolean => compute === "f16";

export const gradientsOf = ({ loss, trained, lossScale }: TracedLoss): ByName =>
  gradients(loss.sum, trained, lossScale);

/**
 * Everything that is summed over a batch, by name: `loss`, `weight` unless divided already, `metric.<name>.sum`,
 * `metric.<name>.weight`.
 */
function sumsOf({ loss, terms: { metrics } }: TracedLoss): Record<string, Tensor<"f32">> {
  const sums: Record<string, Tensor<"f32">> = { loss: loss.sum, ...(loss.weight && { weight: loss.weight }) };
  for (const [name, { sum, weight }] of Object.entries(metrics)) {
    sums[`metric.${name}.sum`] = sum;
    sums[`metric.${name}.weight`] = weight;
  }
  return sums;
}

const tensorsOf = (parameters: ReadonlyMap<string, Parameter>): Tensor[] =>
  [...parameters.values()].map((p) => p.tensor);

/** True while the number is finite: NaN compares false. */
const isFinite = (x: Tensor<"f32">): Tensor<"bool"> => x.abs().less(Infinity);

interface UpdateParts {
  readonly gradients: ByName;
  readonly sums: Readonly<Record<string, Tensor<"f32">>>;
  readonly state: readonly Tensor[];
  readonly updates: Readonly<Record<string, Tensor>>;
  readonly feeds: readonly Tensor[];
}

function updateProgram(
  { graph, parameters, lossScale }: TracedLoss,
  setup: TrainSetup,
  { gradients: found, sums, ...more }: UpdateParts,
): Program {
  const { weight, loss } = sums as { readonly loss: Tensor<"f32">; readonly weight?: Tensor<"f32"> };
  const { scale, norm } = clipScale(found, {
    ...(weight && { weight }),
    ...(lossScale && { lossScale }),
    ...(setup.clip === undefined ? {} : { maxNorm: setup.clip }),
  });
  const { state, updates } = setup.optimizer.update({ graph, parameters, gradients: found, gradScale: scale });
  const finite = isFinite(norm.add(loss));
  const count = setup.numbered === true ? numbering(graph) : undefined;
  return program(graph, {
    state: [...tensorsOf(parameters), ...state, ...more.state, ...(count ? [count.done] : [])],
    outputs: { ...sums, gradNorm: norm },
    updates: { ...updates, ...more.updates, ...(count ? { "train.updates": count.done.add(1) } : {}) },
    guard: count ? finite.and(count.isNext) : finite,
    feeds: more.feeds,
  });
}

/** State that counts the updates of a session, and whether the one fed as `train.update` (from 0) is the next. */
function numbering(graph: Graph): { readonly done: Tensor<"i32">; readonly isNext: Tensor<"bool"> } {
  const done = graph.input("train.updates", "i32", []);
  return { done, isNext: done.equal(graph.input("train.update", "i32", [])) };
}

const keeping = (setup: TrainSetup, whole: Program): Program =>
  setup.rematerialise === true ? rematerialise(whole) : whole;

/** Loss, gradient and update of one batch in one program. */
export function stepProgram(setup: TrainSetup, types: FeedTypes): Program {
  const traced = traceLoss(setup, types);
  return keeping(
    setup,
    updateProgram(traced, setup, {
      gradients: gradientsOf(traced),
      sums: sumsOf(traced),
      state: [],
      updates: {},
      feeds: Object.values(traced.feeds),
    }),
  );
}

/** Adds the sums of one part of a batch to the accumulators. Outputs the part's loss sum, to be checked as it goes. */
export function accumulateProgram(setup: TrainSetup, types: FeedTypes): Program {
  const traced = traceLoss(setup, types);
  const sums = sumsOf(traced);
  const into = accumulatorsOf(traced);
  return keeping(
    setup,
    program(traced.graph, {
      state: [...tensorsOf(traced.parameters), ...into.state],
      outputs: { loss: sums["loss"] as Tensor },
      updates: accumulate(into, gradientsOf(traced), sums),
      feeds: Object.values(traced.feeds),
    }),
  );
}

/**
 * The update from the accumulated sums, which empties them. `types` are those of any part: only names are taken from
 * them.
 */
export function applyProgram(setup: TrainSetup, types: FeedTypes): Program {
  const traced = traceLoss(setup, types);
  const into = accumulatorsOf(traced);
  const updates = hasLossScale(setup.compute) ? {} : resetAccumulators(into);
  return updateProgram(traced, setup, {
    gradients: into.gradients,
    sums: Object.fromEntries(into.sums),
    state: into.state,
    updates,
    feeds: [],
  });
}

/** Empties the accumulators, whatever they hold. */
export function resetProgram(setup: TrainSetup, types: FeedTypes): Program {
  const traced = traceLoss(setup, types);
  const into = accumulatorsOf(traced);
  return program(traced.graph, { state: into.state, outputs: {}, updates: resetAccumulators(into) });
}

const accumulatorsOf = (traced: TracedLoss): Accumulators =>
  accumulators(traced.graph, traced.trained, Object.keys(sumsOf(traced)));
