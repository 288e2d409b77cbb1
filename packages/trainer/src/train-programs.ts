/**
 * The programs of training, traced from an objective, a model and an optimizer.
 *
 *   step        one batch: loss, gradient, clip, update
 *   accumulate  one of several parts of a batch: adds its sums to state on the device
 *   apply       the update from those sums
 *   reset       only with a loss scale, before the first part: sets the sums to zero, because a skipped update did not
 *
 * Gradients are gradients of the summed loss. The division by the global weight is one scalar in the update. So the
 * parts of a batch, its padding and the number of ranks do not change the value. For a loss of several terms, each term
 * is divided by its own weight over the global batch: the feeds hold 1 / weight of each term, and the update divides
 * nothing more. A run whose gradient is not finite leaves all state unchanged.
 *
 * Feeds besides the objective's: `random.key`; the optimizer's scalars; `optim.lossScale` f32 [] with compute f16;
 * `train.update` i32 [] with `numbered`.
 */
import { program, rematerialise, type Graph, type Program, type Tensor } from "@cloze/graph";
import { openTrace, programOf, RANDOM_KEY, type FeedTypes, type Parameter, type Trace } from "@cloze/nn";
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
  /** Largest global norm of the gradient. Undefined: no clipping. */
  readonly clip: number | undefined;
  /**
   * The dtype of contractions. Everything else is f32, parameters and moments included. With f16 the gradient has a
   * loss scale, and a step that overflows is skipped. Default "f32".
   */
  readonly compute?: "f32" | "f16" | "bf16";
  /**
   * Computes a layer's values again in the backward pass instead of keeping the values: less memory, one more forward
   * pass. Default false.
   */
  readonly rematerialise?: boolean;
  /**
   * For a loop that calls a step before it knows the outcome of the previous step. Updates then have numbers, and an
   * update whose number is not the next one changes no state. So no step changes the state after a failed step. Default
   * false.
   */
  readonly numbered?: boolean;
}

export interface TracedLoss extends Trace {
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** The parameters that the optimizer trains. */
  readonly trained: ReadonlyMap<string, Parameter>;
  readonly terms: LossTerms;
  readonly loss: TotalLoss;
  /** f32 []: the factor of the loss's cotangent, where 16-bit numbers need one. */
  readonly lossScale: Tensor<"f32"> | undefined;
}

/**
 * Traces the loss over feeds of these types. The dropout keys are the feed `random.key`: u32 [rows, 2], or where
 * `types` does not name it one key for all rows, u32 [2].
 */
export function traceLoss(
  { source, objective, optimizer, compute }: Pick<TrainSetup, "source" | "objective" | "optimizer" | "compute">,
  types: FeedTypes,
): TracedLoss {
  const trace = openTrace({ [RANDOM_KEY]: { dtype: "u32", shape: [2] }, ...types });
  const { graph, scope, feeds } = trace;
  const terms = objective.loss(scope, source.model, feeds);
  const { parameters } = scope;
  const trained = new Map([...parameters].filter(([, parameter]) => optimizer.trains?.(parameter) ?? true));
  return {
    ...trace,
    terms,
    loss: totalLoss(terms, feeds),
    parameters,
    trained,
    lossScale: hasLossScale(compute) ? graph.input("optim.lossScale", "f32", []) : undefined,
  };
}

/** bf16 has the range of f32 and needs no loss scale. */
export const hasLossScale = (compute: TrainSetup["compute"]): boolean => compute === "f16";

export const gradientsOf = ({ loss, trained, lossScale }: TracedLoss): ByName =>
  gradients(loss.sum, trained, lossScale);

/**
 * All sums over a batch, by name: `loss`, `weight` (absent if the loss is already divided), `metric.<name>.sum`,
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

/** True for a finite number; NaN compares false. */
const isFinite = (x: Tensor<"f32">): Tensor<"bool"> => x.abs().less(Infinity);

interface UpdateParts {
  readonly gradients: ByName;
  readonly sums: Readonly<Record<string, Tensor<"f32">>>;
  readonly state: readonly Tensor[];
  readonly updates: Readonly<Record<string, Tensor>>;
  /** Default: all feeds of the trace. */
  readonly feeds?: readonly Tensor[];
}

function updateProgram(
  traced: TracedLoss,
  setup: TrainSetup,
  { gradients: found, sums, ...more }: UpdateParts,
): Program {
  const { graph, parameters, lossScale } = traced;
  const { weight, loss } = sums as { readonly loss: Tensor<"f32">; readonly weight?: Tensor<"f32"> };
  const { scale, norm } = clipScale(found, {
    ...(weight && { weight }),
    ...(lossScale && { lossScale }),
    ...(setup.clip === undefined ? {} : { maxNorm: setup.clip }),
  });
  const { state, updates } = setup.optimizer.update({ graph, parameters, gradients: found, gradScale: scale });
  const finite = isFinite(norm.add(loss));
  const count = setup.numbered === true ? numbering(graph) : undefined;
  return programOf(traced, {
    state: [...state, ...more.state, ...(count ? [count.done] : [])],
    outputs: { ...sums, gradNorm: norm },
    updates: { ...updates, ...more.updates, ...(count ? { "train.updates": count.done.add(1) } : {}) },
    guard: count ? finite.and(count.isNext) : finite,
    ...(more.feeds && { feeds: more.feeds }),
  });
}

/**
 * State that counts the updates of a session, and a test whether the feed `train.update` (from 0) is the next number.
 */
function numbering(graph: Graph): { readonly done: Tensor<"i32">; readonly isNext: Tensor<"bool"> } {
  const done = graph.input("train.updates", "i32", []);
  return { done, isNext: done.equal(graph.input("train.update", "i32", [])) };
}

const keeping = (setup: TrainSetup, whole: Program): Program =>
  setup.rematerialise === true ? rematerialise(whole) : whole;

/** The programs of a step, each over a trace of the loss that it alone extends. */
export const PROGRAMS: Readonly<
  Record<"step" | "part" | "update" | "reset", (traced: TracedLoss, setup: TrainSetup) => Program>
> = { step, part, update, reset };

/** Loss, gradient and update of one batch in one program. */
export const stepProgram = (setup: TrainSetup, types: FeedTypes): Program => step(traceLoss(setup, types), setup);

/**
 * Adds the sums of one part of a batch to the accumulators. Outputs the part's loss sum, so that a caller can check it
 * early.
 */
export const accumulateProgram = (setup: TrainSetup, types: FeedTypes): Program => part(traceLoss(setup, types), setup);

/**
 * The update from the accumulated sums. Without a loss scale, the update also sets the sums to zero. `types`: the feed
 * types of any part, because only the feed names matter.
 */
export const applyProgram = (setup: TrainSetup, types: FeedTypes): Program => update(traceLoss(setup, types), setup);

/** Sets the accumulators to zero. */
export const resetProgram = (setup: TrainSetup, types: FeedTypes): Program => reset(traceLoss(setup, types));

function step(traced: TracedLoss, setup: TrainSetup): Program {
  return keeping(
    setup,
    updateProgram(traced, setup, {
      gradients: gradientsOf(traced),
      sums: sumsOf(traced),
      state: [],
      updates: {},
    }),
  );
}

function part(traced: TracedLoss, setup: TrainSetup): Program {
  const sums = sumsOf(traced);
  const into = accumulatorsOf(traced);
  return keeping(
    setup,
    programOf(traced, {
      state: into.state,
      outputs: { loss: sums["loss"] as Tensor },
      updates: accumulate(into, gradientsOf(traced), sums),
    }),
  );
}

function update(traced: TracedLoss, setup: TrainSetup): Program {
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

function reset(traced: TracedLoss): Program {
  const into = accumulatorsOf(traced);
  return program(traced.graph, { state: into.state, outputs: {}, updates: resetAccumulators(into) });
}

const accumulatorsOf = (traced: TracedLoss): Accumulators =>
  accumulators(traced.graph, traced.trained, Object.keys(sumsOf(traced)));
