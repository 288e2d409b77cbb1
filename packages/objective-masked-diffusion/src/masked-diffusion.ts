/**
 * Masked (absorbing-state) diffusion: each sequence has its own mask rate, from almost nothing to everything.
 *
 *     t ~ U(smallest, 1) per sequence; each token is masked with probability share(t), independently
 *     loss = sum over masked tokens of weight(t) * CE / all tokens that could be masked
 *
 * With the linear schedule, share(t) = t and weight(t) = 1/t. The expected loss is the bound on the negative log
 * likelihood per token (NELBO), except for times below `smallest`. The key of a draw is (seed, step, example): the row
 * of a sequence and its other sequences do not matter. Evaluation draws by the sequence's content. The evaluation loss
 * belongs to this objective alone; losses of other objectives cannot be compared with it.
 *
 * Sources: Sahoo et al. 2024 (MDLM), arXiv:2406.07524; Nie et al. 2025 (LLaDA), arXiv:2502.09992, algorithm 1; Wang et
 * al. 2024 (DPLM), arXiv:2402.18567. Low discrepancy: Kingma et al. 2021 (VDM), arXiv:2107.00630, appendix I.1.
 */
import { ConfigError } from "@cloze/errors";
import type { Tensor } from "@cloze/graph";
import {
  contentKey,
  encoderFeeds,
  maskTokenOf,
  predictSlots,
  slotFeeds,
  TOKEN_LOSS_KEYS,
  tokenLoss,
  type Moment,
  type Objective,
  type Target,
  type TokenLossOptions,
  type TokenSet,
} from "@cloze/objective";
import { RandomStream } from "@cloze/random";
import type { PackedSequence, TokenBatch } from "@cloze/tokenizer";
import { NOISE, type Noise, type NoiseSchedule } from "./noise.ts";

/** The options of masked diffusion, including label smoothing and z-loss as further terms of training. */
export interface MaskedDiffusionOptions extends TokenLossOptions {
  /** The masked fraction as a function of time. Default "linear". */
  readonly noise?: NoiseSchedule;
  /**
   * "nelbo": each masked token has weight weight(t), and the sum is divided by all maskable tokens (default). "none":
   * each masked token has weight 1, and the sum is divided by the masked tokens.
   */
  readonly weight?: "nelbo" | "none";
  /** Smallest time, above 0. It limits the weight. Default 1e-3. */
  readonly smallest?: number;
  /**
   * Spreads the times of a row's sequences evenly, so that each row has early and late times. Each single time stays
   * uniform. Default false.
   */
  readonly lowDiscrepancy?: boolean;
}

const NAME = "masked-diffusion";
const KEYS = ["noise", "weight", "smallest", "lowDiscrepancy", ...TOKEN_LOSS_KEYS] as const;
const WEIGHTS = ["nelbo", "none"] as const;

/** Seed of the evaluation's draws, whatever the training's seed. */
const EVALUATION_SEED = 20240520;

export function maskedDiffusion(tokens: TokenSet, options: MaskedDiffusionOptions = {}): Objective<"masked-lm"> {
  const maskId = maskTokenOf(tokens, NAME);
  const judge = tokenLoss(NAME, options);
  const unknown = Object.keys(options).find((key) => !KEYS.includes(key as (typeof KEYS)[number]));
  if (unknown !== undefined)
    throw new ConfigError(`${NAME}: unknown option "${unknown}". It takes: ${KEYS.join(", ")}.`);
  const { noise = "linear", weight = "nelbo", smallest = 1e-3, lowDiscrepancy = false } = options;
  oneOf("noise", noise, Object.keys(NOISE));
  oneOf("weight", weight, WEIGHTS);
  if (!(Number.isFinite(smallest) && smallest > 0 && smallest < 1))
    throw new ConfigError(`${NAME}: smallest: expected a time above 0 and below 1, got ${smallest}. Usual is 1e-3.`);
  if (typeof lowDiscrepancy !== "boolean")
    throw new ConfigError(`${NAME}: lowDiscrepancy: expected true or false, got ${JSON.stringify(lowDiscrepancy)}.`);

  const setting: Setting = {
    maskId,
    specialIds: tokens.specialIds,
    noise: NOISE[noise],
    weighed: weight === "nelbo",
    smallest,
    lowDiscrepancy,
  };
  return {
    name: NAME,
    requires: "masked-lm",
    options: { noise, weight, smallest, lowDiscrepancy, ...judge.options },
    prepare(batch, moment) {
      const { ids, targets, count } = diffuse(batch, moment, setting);
      const usual = Math.ceil(setting.noise.mean * batch.rows * batch.length);
      return {
        feeds: {
          ...encoderFeeds(batch, ids),
          ...slotFeeds(targets, usual),
          ...(setting.weighed && { tokens: { dtype: "f32" as const, shape: [], data: Float32Array.of(count) } }),
        },
        weights: setting.weighed ? judge.weights(targets.length, count) : judge.weights(targets.length),
      };
    },
    loss(scope, model, feeds) {
      const predicted = predictSlots(scope, model, feeds);
      return judge.terms(setting.weighed ? { ...predicted, weight: feeds["tokens"] as Tensor<"f32"> } : predicted);
    },
  };
}

function oneOf(option: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value))
    throw new ConfigError(`${NAME}: ${option}: expected one of ${choices.join(", ")}, got ${JSON.stringify(value)}.`);
}

interface Setting {
  readonly maskId: number;
  readonly specialIds: ReadonlySet<number>;
  readonly noise: Noise;
  readonly weighed: boolean;
  readonly smallest: number;
  readonly lowDiscrepancy: boolean;
}

interface Diffused {
  readonly ids: Int32Array;
  readonly targets: readonly Target[];
  /** Number of tokens that could have been masked. */
  readonly count: number;
}

function diffuse(batch: TokenBatch, { seed, step, evaluation }: Moment, setting: Setting): Diffused {
  const { maskId, specialIds, noise, weighed, smallest } = setting;
  const ids = batch.ids.slice();
  const targets: Target[] = [];
  const root = evaluation
    ? new RandomStream(EVALUATION_SEED).split(NAME)
    : new RandomStream(seed).split(NAME).split(step);
  const spread = setting.lowDiscrepancy && !evaluation ? spreadTimes(batch.sequences, root) : undefined;
  let count = 0;
  for (const [i, { example, row, start, length }] of batch.sequences.entries()) {
    const first = row * batch.length + start;
    const sequence = batch.ids.subarray(first, first + length);
    const stream = root.split(evaluation ? contentKey(sequence) : example);
    const t = smallest + (1 - smallest) * (spread?.[i] ?? stream.split("time").uniform(0));
    const share = noise.share(t);
    const weight = weighed ? noise.weight(t) : 1;
    const draws = stream.split("mask");
    for (const [at, token] of sequence.entries()) {
      if (specialIds.has(token)) continue;
      count += 1;
      if (!(draws.uniform(at) < share)) continue;
      targets.push({ index: first + at, token, weight });
      ids[first + at] = maskId;
    }
  }
  return { ids, targets, count };
}

/**
 * Uniform numbers in [0, 1), one for each sequence. The K numbers of a row are 1/K apart; the first example of the row
 * is the key of the random start.
 */
function spreadTimes(sequences: readonly PackedSequence[], root: RandomStream): readonly number[] {
  const rows = new Map<number, number[]>();
  const times: number[] = [];
  for (const [i, { row }] of sequences.entries()) rows.set(row, [...(rows.get(row) ?? []), i]);
  for (const members of rows.values()) {
    const start = root
      .split("row")
      .split((sequences[members[0] as number] as PackedSequence).example)
      .uniform(0);
    for (const [k, i] of members.entries()) times[i] = (start + k / members.length) % 1;
  }
  return times;
}
