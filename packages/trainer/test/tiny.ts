/**
 * A tiny ESM-2, a tiny corpus with patterns to learn, and the options of a run over both. The trainer's tests use them.
 */
import { backend } from "@cloze/backend-reference";
import { memoryDataset, packedBatches, paddedBatches } from "@cloze/data";
import { esm2, esm2Configs, esm2ConfigText } from "@cloze/models/esm2";
import { initialize, maskedLmParameters } from "@cloze/nn";
import { mlm } from "@cloze/objective-mlm";
import type { Objective } from "@cloze/objective";
import { adamw } from "@cloze/optim";
import { schedule } from "@cloze/schedule";
import { RandomStream } from "@cloze/random";
import { esm2 as esm2Tokenizer, type ProteinTokenizer } from "@cloze/tokenizer-protein";
import {
  Evaluator,
  loadTrainerState,
  loadWeights,
  newestCheckpoint,
  type ModelSource,
  type TrainOptions,
} from "../src/index.ts";

export const tokenizer: ProteinTokenizer = esm2Tokenizer();
const { special } = tokenizer;
const frame = {
  pad: special.pad,
  ...(special.start === undefined ? {} : { start: special.start }),
  ...(special.end === undefined ? {} : { end: special.end }),
};

/** Sequences that repeat a short motif, so that a token's neighbours predict the token. */
export function corpus(count: number): Uint8Array[] {
  const stream = new RandomStream(11).split("corpus");
  return Array.from({ length: count }, (_, i) => {
    const draw = stream.split(i);
    const motif = [4, 5, 6, 7].map((id) => id + draw.below(3, id));
    const length = 6 + draw.below(8, 99);
    return Uint8Array.from({ length }, (_, k) => motif[k % motif.length] as number);
  });
}

const config = { ...esm2Configs["esm2-8m"], layers: 1, hidden: 16, heads: 2, intermediate: 32 };

export const source: ModelSource = {
  name: "tiny",
  model: esm2(config),
  configText: esm2ConfigText(config),
  buffers: {},
  maxLength: 32,
};

export const objective: Objective = mlm(tokenizer);

export function tinyRun(run: string, changes: Partial<TrainOptions> = {}): TrainOptions {
  const engine = changes.backend ?? backend();
  const data = memoryDataset(corpus(40));
  return {
    backend: engine,
    source,
    objective,
    optimizer: adamw({ beta2: 0.98 }),
    clip: 1,
    accumulate: 1,
    batches: packedBatches(data, { seed: 1, length: 32, rowsPerBatch: 2, special: frame }),
    evaluator: new Evaluator({
      backend: engine,
      source,
      objective,
      batches: paddedBatches(memoryDataset(corpus(6)), { special: frame, maxSequence: 32, rowsPerBatch: 3 }),
    }),
    weights: initialize(maskedLmParameters(source.model), 1),
    tokenizerFiles: tokenizer.files(),
    lr: 0.01,
    schedule: schedule("constant"),
    until: { steps: 6 },
    seed: 1,
    evalEvery: 3,
    saveEvery: 2,
    keep: 10,
    run,
    ...changes,
  };
}

/** The options that resume the run in a folder from its newest checkpoint. */
export async function resumed(run: string, changes: Partial<TrainOptions> = {}): Promise<TrainOptions> {
  const from = (await newestCheckpoint(run)) as string;
  const { optimizer, state } = await loadTrainerState(from);
  const options = tinyRun(run, changes);
  const parameters = new Map(Object.entries(options.weights));
  return { ...options, weights: await loadWeights(from, parameters), resume: { optimizer, state, dir: from } };
}
