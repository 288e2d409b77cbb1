/**
 * The programs of a training step on the device: compiled once for each model, objective and shape of feeds, and called
 * for every step.
 *
 * `call` returns when the device has accepted the step, not when the step is done. The runs of a session return their
 * results in the order of the calls. So the host can call the next step while this step is in flight.
 */
import { ProgramCache, type Executable, type Plan, type Session } from "@cloze/backend";
import type { HostTensor, HostTensors, Program } from "@cloze/graph";
import type { FeedTypes, Parameter } from "@cloze/nn";
import { feedTypes, shareFeeds, type Prepared } from "@cloze/objective";
import type { LossScale } from "@cloze/optim";
import { atStep, type Progress } from "@cloze/schedule";
import type { TokenBatch } from "@cloze/tokenizer";
import { firstAverages } from "./averages.ts";
import { drawFeed, drawsOf } from "./draws.ts";
import { scalar } from "./evaluate.ts";
import { stagesOf, type Stage, type Stages } from "./stages.ts";
import { checkOptimizerState, initialState } from "./state.ts";
import type { StepOptions } from "./step-options.ts";
import { hasLossScale, PROGRAMS, traceLoss, type TrainSetup } from "./train-programs.ts";

export interface PreparedStep {
  readonly parts: readonly PreparedPart[];
  readonly tokens: number;
  readonly stage: Stage;
  readonly progress: Progress;
}

interface PreparedPart {
  readonly prepared: Prepared;
  readonly types: FeedTypes;
}

/** The position of a run at the start of a step. */
export interface StepPlace {
  /** Default: only the step number is known. */
  readonly progress?: Progress;
  /** Number of parts that the earlier steps took. Default: as if every earlier step had as many parts as this step. */
  readonly firstPart?: number;
}

/** Prepares the feeds of step `step` (from 0). */
export function prepareStep(
  options: StepOptions,
  step: number,
  { progress = atStep(step), firstPart }: StepPlace = {},
): Promise<PreparedStep> {
  return prepareParts(options, stagesOf(options).at(progress), progress, firstPart);
}

async function prepareParts(
  { seed, resume }: Pick<StepOptions, "seed" | "resume">,
  stage: Stage,
  progress: Progress,
  first?: number,
): Promise<PreparedStep> {
  const { batches, objective, accumulate } = stage;
  const { step } = progress;
  const firstPart = first ?? step * accumulate;
  const draws = drawsOf(resume);
  const made: Prepared[] = [];
  const keys: HostTensors[] = [];
  let tokens = 0;
  let firstRow = 0;
  for (let part = firstPart; part < firstPart + accumulate; part++) {
    const batch = await batches.batchAt(part);
    made.push(objective.prepare(batch, { seed, step, evaluation: false, progress }));
    keys.push(drawFeed(draws, { seed, step, part, firstRow, rows: batch.rows }));
    tokens += tokensIn(batch);
    firstRow += batch.rows;
  }
  const shares = shareFeeds(made);
  const parts = made.map(({ feeds }, i): PreparedPart => {
    const prepared: Prepared = { feeds: { ...feeds, ...shares, ...keys[i] } };
    return { prepared, types: feedTypes(prepared) };
  });
  return { parts, tokens, stage, progress };
}

const tokensIn = ({ sequences }: TokenBatch): number => sequences.reduce((n, s) => n + s.length, 0);

/** One program of a step. */
export interface StepPlan {
  readonly program: "step" | "reset" | "part" | "update";
  /** Number of runs in one step. */
  readonly times: number;
  readonly plan: Plan;
  /** The program's stage, in a run with several stages. */
  readonly stage?: Stage["values"];
}

/**
 * Compiles the programs of the first step of every stage, and returns the plan of each program. Starts no session and
 * writes no file.
 */
export async function planTraining(options: StepOptions): Promise<readonly StepPlan[]> {
  const programs = new Programs(options, 0);
  const plans: StepPlan[] = [];
  for (const stage of stagesOf(options).all) {
    const made = await programs.plans(await firstOf(options, stage));
    plans.push(...made.map((plan) => (options.stages === undefined ? plan : { ...plan, stage: stage.values })));
  }
  return plans;
}

/** Step 0 of a run that begins with this stage. */
const firstOf = (options: StepOptions, stage: Stage): Promise<PreparedStep> =>
  prepareParts(options, stage, { step: 0, share: 0 });

/** The values that are fixed when a step is called. */
export interface StepCall {
  /** Number of the step, from 0. */
  readonly number: number;
  readonly prepared: PreparedStep;
  readonly lr: number;
  /** Only with compute f16. */
  readonly lossScale: LossScale | undefined;
}

/** The feeds of one part of a step, without the feeds of the update. */
export function partFeeds(
  { prepared, lossScale }: Pick<StepCall, "prepared" | "lossScale">,
  micro: number,
): HostTensors {
  return {
    ...(prepared.parts[micro] as PreparedPart).prepared.feeds,
    ...scaleFeed(lossScale),
  };
}

const scaleFeed = (lossScale: LossScale | undefined): HostTensors =>
  lossScale === undefined
    ? {}
    : { "optim.lossScale": { dtype: "f32", shape: [], data: Float32Array.of(lossScale.scale) } };

/**
 * `step`: the whole of a step with one part. A step with several parts runs `part` once for each part, then `update`.
 */
type Kind = StepPlan["program"];

export class Programs {
  readonly #options: StepOptions & Pick<TrainSetup, "numbered">;
  readonly #stages: Stages;
  readonly #firstStep: number;
  readonly #programs: ProgramCache;
  /** What the programs have declared so far. */
  readonly #parameters = new Map<string, Parameter>();
  /** Names of the parameters that the steps change; `optimizerNames`: the names of the optimizer's state for them. */
  trainedNames: readonly string[] = [];
  optimizerNames: readonly string[] = [];
  parameterCount = 0;

  /** `firstStep`: the number of the first step of this session. */
  constructor(options: StepOptions, firstStep: number) {
    // Updates are numbered only without a loss scale. With a loss scale, a step that overflows is skipped and further
    // steps follow, so the host does not know the number of the next update.
    this.#options = { ...options, numbered: !hasLossScale(options.compute) };
    this.#programs = new ProgramCache(options.backend, { compute: options.compute ?? "f32" });
    this.#stages = stagesOf(options);
    this.#firstStep = firstStep;
  }

  async start(first: PreparedStep): Promise<Session> {
    const { backend, weights, resume, optimizer } = this.#options;
    const programs = await this.#programsOf(first);
    this.trainedNames = Object.keys(weights).filter((name) => programs.some((p) => name in p.updates));
    this.optimizerNames = optimizer.stateNames(
      this.trainedNames.map(
        (name) => this.#parameters.get(name) ?? { name, shape: (weights[name] as HostTensor).shape },
      ),
    );
    this.parameterCount = Object.values(weights).reduce((n, w) => n + w.data.length, 0);
    if (resume) checkOptimizerState(this.optimizerNames, resume.optimizer, resume.dir);
    return backend.start(initialState(programs, weights, resume?.optimizer ?? firstAverages(optimizer, weights)));
  }

  /**
   * Programs that together name all state of the run: the compiled programs of the first step, and traced programs of
   * each stage whose state may differ.
   */
  async #programsOf(first: PreparedStep): Promise<readonly Program[]> {
    const same = (x: Stage, y: Stage): boolean =>
      x.objective === y.objective && (x.accumulate === 1) === (y.accumulate === 1);
    const seen = [first.stage];
    const programs: Program[] = [];
    for (const { executable } of await this.#compiledFor(first)) programs.push(executable.program);
    for (const stage of this.#stages.all) {
      if (seen.some((earlier) => same(earlier, stage))) continue;
      seen.push(stage);
      const [{ types }] = (await firstOf(this.#options, stage)).parts as readonly [PreparedPart];
      programs.push(...this.#kindsOf(stage).map(({ kind }) => this.#program(kind, stage, types)));
    }
    return programs;
  }

  /** The plans of all programs for a step like `first`, with the number of runs of each program. */
  async plans(first: PreparedStep): Promise<readonly StepPlan[]> {
    return (await this.#compiledFor(first)).map(({ kind, times, executable }) => ({
      program: kind,
      times,
      plan: executable.plan,
    }));
  }

  /** Calls a step. `done` settles when the step is done, with the step's scalar outputs. */
  async call(session: Session, step: StepCall): Promise<{ readonly done: Promise<Readonly<Record<string, number>>> }> {
    const { optimizer, compute } = this.#options;
    const {
      number,
      prepared: { parts, stage, progress },
      lossScale,
    } = step;
    const [first] = parts as readonly [PreparedPart];
    const scalars = {
      ...optimizer.hostScalars(number + 1 - (lossScale?.skippedSteps ?? 0), step.lr, progress),
      ...scaleFeed(lossScale),
      ...(hasLossScale(compute)
        ? {}
        : {
            "train.update": {
              dtype: "i32",
              shape: [],
              data: Int32Array.of(number - this.#firstStep),
            } satisfies HostTensor,
          }),
    };
    // All programs are compiled before the first call, so that the runs of one step follow each other without a gap.
    const single = stage.accumulate === 1;
    const executables = await Promise.all(parts.map(({ types }) => this.#made(single ? "step" : "part", stage, types)));
    const runs: Promise<HostTensors>[] = [];
    if (single) runs.push(session.run(executables[0] as Executable, { ...partFeeds(step, 0), ...scalars }));
    else {
      const apply = await this.#made("update", stage, first.types);
      if (hasLossScale(compute)) runs.push(session.run(await this.#made("reset", stage, first.types), {}));
      executables.forEach((executable, micro) => runs.push(session.run(executable, partFeeds(step, micro))));
      runs.push(session.run(apply, scalars));
    }
    const done = Promise.all(runs).then((outs) =>
      Object.fromEntries(Object.entries(outs.at(-1) as HostTensors).map(([name, value]) => [name, scalar(value)])),
    );
    // The loop reports a failure when it awaits this step, not while it awaits an earlier step.
    done.catch(() => {});
    return { done };
  }

  async #compiledFor({
    stage,
    parts,
  }: PreparedStep): Promise<
    readonly { readonly kind: Kind; readonly times: number; readonly executable: Executable }[]
  > {
    const [{ types }] = parts as readonly [PreparedPart];
    return Promise.all(
      this.#kindsOf(stage).map(async (one) => ({ ...one, executable: await this.#made(one.kind, stage, types) })),
    );
  }

  /** The programs of a step, in the order of their calls. */
  #kindsOf({ accumulate }: Stage): readonly { readonly kind: Kind; readonly times: number }[] {
    if (accumulate === 1) return [{ kind: "step", times: 1 }];
    return [
      ...(hasLossScale(this.#options.compute) ? [{ kind: "reset" as const, times: 1 }] : []),
      { kind: "part", times: accumulate },
      { kind: "update", times: 1 },
    ];
  }

  /**
   * The program of a kind, compiled at most once. `types`: the feed types of the part. For an update and a reset, the
   * types of any part work, because only the feed names matter.
   */
  #made(kind: Kind, stage: Stage, types: FeedTypes): Promise<Executable> {
    // The sums depend only on the objective. An update does not depend on the model or on the shapes.
    const of = kind === "update" || kind === "reset" ? [] : [stage.source, JSON.stringify(types)];
    return this.#programs.get([kind, stage.objective, ...of], () => this.#program(kind, stage, types));
  }

  #program(kind: Kind, { source, objective }: Stage, types: FeedTypes): Program {
    const setup: TrainSetup = { ...this.#options, source, objective };
    const traced = traceLoss(setup, types);
    for (const [name, parameter] of traced.parameters) this.#parameters.set(name, parameter);
    return PROGRAMS[kind](traced, setup);
  }
}
