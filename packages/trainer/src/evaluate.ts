/**
 * Evaluation: the loss and the token metrics of an objective over a whole data set. All figures are weighted by token;
 * none is a mean of batch means.
 *
 * Batches have only a few different shapes, and each shape is compiled once. The evaluation uses the parameters on the
 * device and copies nothing.
 */
import { ProgramCache, type Backend, type Session } from "@cloze/backend";
import type { PaddedBatches } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { TokenMetrics, type TokenMetricsResult } from "@cloze/eval";
import type { HostTensor, Program, Tensor } from "@cloze/graph";
import { openTrace, programOf, type FeedTypes } from "@cloze/nn";
import { type AnyModel, feedTypes, type LossTerms, type Objective } from "@cloze/objective";
import type { ModelSource } from "./model-source.ts";

/** The result of an evaluation: figures by name, one of them the loss. */
export type EvaluationNumbers = Readonly<Record<string, number>> & { readonly loss: number };

/** Evaluates the parameters of a session. Each implementation chooses its own data and figures. */
export interface Evaluation<R extends EvaluationNumbers = EvaluationNumbers> {
  /** `source`: the model of the current stage, where a run has several models over the same parameters. */
  run(session: Session, signal?: AbortSignal, source?: ModelSource<AnyModel>): Promise<R>;
}

/** The metrics of the predicted tokens, and the objective's own metrics under other names (`nsp.accuracy`). */
export type EvaluationResult = TokenMetricsResult & Readonly<Record<string, number>>;

export class Evaluator implements Evaluation<EvaluationResult> {
  readonly #source: ModelSource<AnyModel>;
  readonly #objective: Objective;
  readonly #batches: PaddedBatches;
  readonly #programs: ProgramCache;

  /** `compute`: the dtype of contractions. Default "f32". */
  constructor(options: {
    readonly backend: Backend;
    readonly source: ModelSource<AnyModel>;
    readonly objective: Objective;
    readonly batches: PaddedBatches;
    readonly compute?: "f32" | "f16" | "bf16";
  }) {
    this.#source = options.source;
    this.#objective = options.objective;
    this.#batches = options.batches;
    this.#programs = new ProgramCache(options.backend, { compute: options.compute ?? "f32" });
  }

  /**
   * One pass over the data set, with the evaluator's own model or with another model over the same parameters. Throws
   * ConfigError if the data set holds nothing to predict.
   */
  async run(
    session: Session,
    signal?: AbortSignal,
    source: ModelSource<AnyModel> = this.#source,
  ): Promise<EvaluationResult> {
    const metrics = new TokenMetrics(source.model.vocab);
    const further = new MetricSums();
    for (let i = 0; i < this.#batches.count; i++) {
      signal?.throwIfAborted();
      const batch = await this.#batches.batchAt(i);
      const prepared = this.#objective.prepare(batch, { seed: 0, step: 0, evaluation: true });
      const types = feedTypes(prepared);
      const executable = await this.#programs.get([source, JSON.stringify(types)], () =>
        evaluationProgram(source, this.#objective, types),
      );
      const out = await session.run(executable, prepared.feeds);
      const { targets, predictions } = labelled(out);
      metrics.add(targets, predictions, scalar(out["loss"]), scalar(out["weight"]));
      further.add(out);
    }
    const result = metrics.result();
    if (!(result.tokens > 0))
      throw new ConfigError(
        "evaluation: expected at least one token to predict, got none. The evaluation data is empty or its " +
          "sequences are too short.",
      );
    return { ...result, ...further.without(result) };
  }
}

function evaluationProgram(source: ModelSource<AnyModel>, objective: Objective, types: FeedTypes): Program {
  const trace = openTrace(types);
  const { scope, feeds } = trace;
  const { loss, metrics, tokens } = objective.loss(scope, source.model, feeds);
  if (tokens === undefined)
    throw new ConfigError(
      `evaluation: objective ${objective.name} predicts no tokens, so there are no token metrics to report.`,
    );
  return programOf(trace, {
    outputs: {
      loss: loss.sum,
      weight: loss.weight,
      predictions: tokens.predictions,
      targets: tokens.targets,
      weights: tokens.weights,
      ...metricOutputs(metrics),
    },
  });
}

const metricOutputs = (metrics: LossTerms["metrics"]): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(metrics).flatMap(([name, { sum, weight }]) => [
      [`metric.${name}.sum`, sum],
      [`metric.${name}.weight`, weight],
    ]),
  );

/** The sums of the objective's own metrics over all batches. */
class MetricSums {
  readonly #sums = new Map<string, { sum: number; weight: number }>();

  add(out: Readonly<Record<string, HostTensor>>): void {
    for (const name of Object.keys(out).flatMap((key) => /^metric\.(.+)\.sum$/.exec(key)?.[1] ?? [])) {
      const { sum, weight } = this.#sums.get(name) ?? { sum: 0, weight: 0 };
      this.#sums.set(name, {
        sum: sum + scalar(out[`metric.${name}.sum`]),
        weight: weight + scalar(out[`metric.${name}.weight`]),
      });
    }
  }

  /** The means of the metrics, without the names in `known` and without metrics of weight 0. */
  without(known: object): Record<string, number> {
    return Object.fromEntries(
      [...this.#sums].flatMap(([name, { sum, weight }]) =>
        name in known || weight === 0 ? [] : [[name, sum / weight]],
      ),
    );
  }
}

/** The targets and predictions of the slots whose weight is above 0. */
function labelled(out: Readonly<Record<string, HostTensor>>): {
  readonly targets: number[];
  readonly predictions: number[];
} {
  const { targets, predictions, weights } = out as Readonly<Record<"targets" | "predictions" | "weights", HostTensor>>;
  const used = Array.from(weights.data).flatMap((w, i) => (w > 0 ? [i] : []));
  return {
    targets: used.map((i) => targets.data[i] as number),
    predictions: used.map((i) => predictions.data[i] as number),
  };
}

export const scalar = (t: HostTensor | undefined): number => t?.data[0] as number;
