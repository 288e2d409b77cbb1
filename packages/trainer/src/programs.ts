/**
 * A step on the device: the programs it takes, compiled once for each shape of feeds, and the calls that make it.
 *
 * `call` returns when the step is with the device, not when it is done: what the runs of a session give comes in the order of
 * the calls, so that the next step may be called while this one is under way.
 */
import type { Executable, Plan, Session } from "@cloze/backend";
import type { HostTensor, HostTensors, Program } from "@cloze/graph";
import { feedTypes, shareFeeds, type Prepared } from "@cloze/objective";
import type { LossScale } from "@cloze/optim";
import type { TokenBatch } from "@cloze/tokenizer";
import { firstAverages } from "./averages.ts";
import { scalar } from "./evaluate.ts";
import type { TrainOptions } from "./loop.ts";
import { checkOptimizerState, initialState } from "./state.ts";
import { accumulateProgram, applyProgram, hasLossScale, resetProgram, stepProgram, type FeedTypes, type TrainSetup } from "./train-programs.ts";

export interface PreparedStep {
  readonly parts: readonly PreparedPart[];
  readonly tokens: number;
}

interface PreparedPart {
  readonly prepared: Prepared;
  readonly types: FeedTypes;
  readonly key: string;
}

/** What steps are made of; how a run is evaluated, saved and ended is no matter to them. */
export type StepOptions = Omit<TrainSetup, "numbered"> & Pick<TrainOptions, "backend" | "batches" | "accumulate" | "weights" | "seed" | "resume">;

/** The feeds of step `step` (from 0). */
export async function prepareStep({ batches, objective, accumulate, seed }: StepOptions, step: number): Promise<PreparedStep> {
  const made: Prepared[] = [];
  let tokens = 0;
  for (let micro = 0; micro < accumulate; micro++) {
    const batch = await batches.batchAt(step * accumulate + micro);
    made.push(objective.prepare(batch, { seed, step, evaluation: false }));
    tokens += tokensIn(batch);
  }
  const shares = shareFeeds(made), parts = made.map(({ feeds }): PreparedPart => {
    const prepared: Prepared = { feeds: { ...feeds, ...shares } }, types = feedTypes(prepared);
    return { prepared, types, key: JSON.stringify(types) };
  });
  return { parts, tokens };
}

const tokensIn = ({ sequences }: TokenBatch): number => sequences.reduce((n, s) => n + s.length, 0);

/** One program of a step. */
export interface StepPlan {
  readonly program: "step" | "reset" | "part" | "update";
  /** Runs in a step. */
  readonly times: number;
  readonly plan: Plan;
}

/** Compiles the programs of the first step and says what each will do; nothing is started, nothing written. */
export async function planTraining(options: StepOptions): Promise<readonly StepPlan[]> {
  return new Programs(options, 0).plans(await prepareStep(options, 0));
}

/** What is decided for a step when it is called. */
export interface StepCall {
  /** Number of the step, from 0. */
  readonly number: number;
  readonly prepared: PreparedStep;
  readonly lr: number;
  /** With compute f16. */
  readonly lossScale: LossScale | undefined;
}

/** The key of dropout: the seed and the number of the micro-batch, so that the parts of a step draw masks of their own. */
const randomKey = (seed: number, batch: number): HostTensors => ({ "random.key": { dtype: "u32", shape: [2], data: Uint32Array.of(seed >>> 0, batch >>> 0) } });

/** The feeds of one part of a step, but for what the update takes. */
export function partFeeds({ seed, accumulate }: StepOptions, { number, prepared, lossScale }: StepCall, micro: number): HostTensors {
  return { ...(prepared.parts[micro] as PreparedPart).prepared.feeds, ...randomKey(seed, number * accumulate + micro), ...scaleFeed(lossScale) };
}

const scaleFeed = (lossScale: LossScale | undefined): HostTensors =>
  lossScale === undefined ? {} : { "optim.lossScale": { dtype: "f32", shape: [], data: Float32Array.of(lossScale.scale) } };

export class Programs {
  readonly #options: StepOptions & Pick<TrainSetup, "numbered">;
  readonly #firstStep: number;
  readonly #compiled = new Map<string, Promise<Executable>>();
  #apply: Promise<Executable> | undefined;
  #reset: Promise<Executable> | undefined;
  /** Parameters that the steps change, and the optimizer's state for them. */
  trainedNames: readonly string[] = [];
  optimizerNames: readonly string[] = [];
  parameterCount = 0;

  /** `firstStep`: the number of the first step that will be called. */
  constructor(options: StepOptions, firstStep: number) {
    // An update that overflowed is skipped and others follow: only without a loss scale is the number of the next one known.
    this.#options = { ...options, numbered: !hasLossScale(options.compute) };
    this.#firstStep = firstStep;
  }

  async start(first: PreparedStep): Promise<Session> {
    const { backend, weights, resume, optimizer, accumulate, compute } = this.#options, part = first.parts[0] as PreparedPart;
    const executables = [await this.#part(part)];
    if (accumulate > 1) executables.push(await this.#applied(part.types));
    if (accumulate > 1 && hasLossScale(compute)) executables.push(await this.#emptied(part.types));
    const programs = executables.map((e) => e.program);
    this.trainedNames = Object.keys(weights).filter((name) => programs.some((p) => name in p.updates));
    this.optimizerNames = optimizer.stateNames(this.trainedNames.map((name) => [name, (weights[name] as HostTensor).shape]));
    this.parameterCount = Object.values(weights).reduce((n, w) => n + w.data.length, 0);
    if (resume) checkOptimizerState(this.optimizerNames, resume.optimizer, resume.dir);
    return backend.start(initialState(programs, weights, resume?.optimizer ?? firstAverages(optimizer, weights)));
  }

  /** What the device will do for a step like `first`, program by program, and how often in a step. */
  async plans(first: PreparedStep): Promise<readonly StepPlan[]> {
    const { accumulate, compute } = this.#options, [{ types }] = first.parts as readonly [PreparedPart], part = first.parts[0] as PreparedPart;
    if (accumulate === 1) return [{ program: "step", times: 1, plan: (await this.#part(part)).plan }];
    return [
      ...(hasLossScale(compute) ? [{ program: "reset" as const, times: 1, plan: (await this.#emptied(types)).plan }] : []),
      { program: "part", times: accumulate, plan: (await this.#part(part)).plan },
      { program: "update", times: 1, plan: (await this.#applied(types)).plan },
    ];
  }

  /** Calls a step. The promise that it resolves with settles when the step is done, with its scalar outputs. */
  async call(session: Session, step: StepCall): Promise<{ readonly done: Promise<Readonly<Record<string, number>>> }> {
    const { optimizer, accumulate, compute } = this.#options, { number, prepared: { parts }, lossScale } = step, [first] = parts as readonly [PreparedPart];
    const scalars = {
      ...optimizer.hostScalars(number + 1 - (lossScale?.skippedSteps ?? 0), step.lr), ...scaleFeed(lossScale),
      ...(hasLossScale(compute) ? {} : { "train.update": { dtype: "i32", shape: [], data: Int32Array.of(number - this.#firstStep) } satisfies HostTensor }),
    };
    // Programs of shapes that are new are compiled before anything is called: the runs of a step follow each other.
    const executables = await Promise.all(parts.map((part) => this.#part(part)));
    const runs: Promise<HostTensors>[] = [];
    if (accumulate === 1) runs.push(session.run(executables[0] as Executable, { ...partFeeds(this.#options, step, 0), ...scalars }));
    else {
      const apply = await this.#applied(first.types);
      if (hasLossScale(compute)) runs.push(session.run(await this.#emptied(first.types), {}));
      executables.forEach((executable, micro) => runs.push(session.run(executable, partFeeds(this.#options, step, micro))));
      runs.push(session.run(apply, scalars));
    }
    const done = Promise.all(runs).then((outs) => Object.fromEntries(Object.entries(outs.at(-1) as HostTensors).map(([name, value]) => [name, scalar(value)])));
    // A failure is reported where the step is awaited, not while an earlier one is.
    done.catch(() => {});
    return { done };
  }

  #part({ key, types }: PreparedPart): Promise<Executable> {
    let made = this.#compiled.get(key);
    if (made === undefined) {
      made = this.#compile((this.#options.accumulate === 1 ? stepProgram : accumulateProgram)(this.#options, types));
      this.#compiled.set(key, made);
    }
    return made;
  }

  #applied(types: FeedTypes): Promise<Executable> {
    this.#apply ??= this.#compile(applyProgram(this.#options, types));
    return this.#apply;
  }

  #emptied(types: FeedTypes): Promise<Executable> {
    this.#reset ??= this.#compile(resetProgram(this.#options, types));
    return this.#reset;
  }

  #compile(program: Program): Promise<Executable> {
    const { backend, compute = "f32" } = this.#options;
    return backend.compile(program, { compute });
  }
}
