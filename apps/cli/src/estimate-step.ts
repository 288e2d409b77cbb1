/**
 * Estimates for a training step, without a run. The memory comes from a plan of the step's kernels, which needs no
 * device and no weights. The speed is measured, on request, over a few steps of random tokens.
 *
 *   memory = state (parameters, moments, averages; accumulated gradients) + the largest temporaries of a program
 *            + the feeds and outputs of all programs
 */
import { baseProfile, estimate, type Profile } from "@cloze/backend-webgpu";
import type { Batches } from "@cloze/data";
import { sizeOf, type Program, type Shape } from "@cloze/graph";
import { initialize } from "@cloze/nn";
import { feedTypes } from "@cloze/objective";
import { lossScaler } from "@cloze/optim";
import { RandomStream } from "@cloze/random";
import type { Tokenizer } from "@cloze/tokenizer";
import { accumulateProgram, applyProgram, stepProgram } from "@cloze/trainer";
import { prepareStep, Programs, type StepOptions, type TrainSetup } from "@cloze/trainer/step";
import { parametersOfSource } from "./model-sources.ts";

/** The memory of a step, in bytes. */
export interface StepMemory {
  readonly parameters: number;
  /** Moments and all other state of the optimizer. */
  readonly optimizer: number;
  /** Sums of gradients over the parts of a step. 0 for a step of one part: its gradients are temporaries. */
  readonly accumulated: number;
  /**
   * Activations for the backward pass, gradients, and values between kernels. Memory is reused when a lifetime ends.
   */
  readonly temporaries: number;
  readonly feeds: number;
  readonly total: number;
}

/** Batches of random tokens. Each row is full and holds one sequence. */
export function drawnBatches({ regularIds }: Pick<Tokenizer, "regularIds">, rows: number, length: number): Batches {
  const stream = new RandomStream(0).split("estimate");
  const ids = Int32Array.from(
    { length: rows * length },
    (_, i) => regularIds[stream.below(regularIds.length, i)] as number,
  );
  const batch = {
    rows,
    length,
    ids,
    segments: new Int32Array(rows * length).fill(1),
    positions: Int32Array.from({ length: rows * length }, (_, i) => i % length),
    sequences: Array.from({ length: rows }, (_, row) => ({ example: row, row, start: 0, length })),
  };
  return { batchAt: async () => batch };
}

/** A device with large limits: the question is how much memory a step takes, not whether it fits. */
const ROOMY: Profile = {
  ...baseProfile,
  family: "nvidia",
  device: "a GPU",
  f16: true,
  limits: {
    ...baseProfile.limits,
    storageBuffers: 16,
    bindingBytes: 2 ** 32,
    bufferBytes: 2 ** 32,
    invocations: 1024,
    sharedBytes: 48 * 2 ** 10,
  },
};

/**
 * The memory of a step of `accumulate` parts, each like a batch of `batches`. Plans for 16 bits are made for f16; bf16
 * takes the same memory.
 */
export async function memoryOfStep(setup: TrainSetup, batches: Batches, accumulate: number): Promise<StepMemory> {
  const types = feedTypes(setup.objective.prepare(await batches.batchAt(0), { seed: 0, step: 0, evaluation: false }));
  const programs =
    accumulate === 1 ? [stepProgram(setup, types)] : [accumulateProgram(setup, types), applyProgram(setup, types)];
  const plans = programs.map((each) =>
    estimate(each, { profile: ROOMY, compute: setup.compute === "bf16" ? "f16" : (setup.compute ?? "f32") }),
  );
  const parameters = new Set(parametersOfSource(setup.source, setup.objective.requires).keys());
  const state = stateOf(programs);
  const bytes = (wanted: (name: string) => boolean): number =>
    [...state].reduce((sum, [name, shape]) => sum + (wanted(name) ? 4 * sizeOf(shape) : 0), 0);
  const waits = (name: string): boolean => accumulate > 1 && /^(grad|sum)\./.test(name) && !parameters.has(name);
  const sizes = {
    parameters: bytes((name) => parameters.has(name)),
    accumulated: bytes(waits),
    optimizer: bytes((name) => !parameters.has(name) && !waits(name)),
    temporaries: Math.max(...plans.map(({ arenaBytes }) => arenaBytes)),
    feeds: plans.reduce((sum, { feedBytes, outputBytes }) => sum + feedBytes + outputBytes, 0),
  };
  return { ...sizes, total: Object.values(sizes).reduce((sum, size) => sum + size, 0) };
}

/** The state of a session that runs all programs: shapes by name. */
const stateOf = (programs: readonly Program[]): ReadonlyMap<string, Shape> =>
  new Map(programs.flatMap(({ state }) => state.map(({ attrs: { name }, shape }) => [name, shape] as const)));

/**
 * Tokens per second, without padding: the median of `steps` steps, after one warm-up step. The weights are new ones and
 * are thrown away. `say` is told what is done now.
 */
export async function measureSpeed(
  setup: Omit<StepOptions, "weights" | "seed">,
  steps: number,
  say: (text: string) => void = () => {},
): Promise<number> {
  say("drawing the first weights");
  const options: StepOptions = {
    ...setup,
    seed: 0,
    weights: initialize(parametersOfSource(setup.source, setup.objective.requires), 0),
  };
  const programs = new Programs(options, 0);
  say("compiling the training step");
  const session = await programs.start(await prepareStep(options, 0));
  const times: number[] = [];
  let tokens = 0;
  try {
    for (let number = 0; number <= steps; number++) {
      const prepared = await prepareStep(options, number);
      say(number === 0 ? "computing a step to warm up" : `measuring step ${number} of ${steps}`);
      const began = performance.now();
      await (
        await programs.call(session, {
          number,
          prepared,
          lr: 1e-6,
          lossScale: setup.compute === "f16" ? lossScaler().initial : undefined,
        })
      ).done;
      if (number > 0) times.push(performance.now() - began);
      tokens = prepared.tokens;
    }
  } finally {
    await session.dispose();
  }
  return (tokens / (times.sort((a, b) => a - b)[Math.floor(times.length / 2)] as number)) * 1000;
}
