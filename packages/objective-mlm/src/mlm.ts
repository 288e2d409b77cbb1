/**
 * Masked language modelling: hide some tokens, predict them from both sides.
 *
 * Training corrupts a share `rate` of the tokens (which may change linearly over steps), drawn by (seed, step, example). Evaluation
 * always corrupts the same 15 % with `<mask>` only, drawn by the sequence's content, so that numbers of different runs compare.
 * Source: Devlin et al. 2018, arXiv:1810.04805.
 */
import { ConfigError } from "@cloze/errors";
import { crossEntropy, type Tensor } from "@cloze/graph";
import type { MaskedLm, Scope } from "@cloze/nn";
import { encoderFeeds, encoderInputs, slotFeeds, type LossTerms, type Moment, type Objective, type Prepared, type Target, type TokenSet } from "@cloze/objective";
import { RandomStream } from "@cloze/random";
import type { TokenBatch } from "@cloze/tokenizer";
import { ALL_MASK, BERT_REPLACEMENT, corruptSequence, MASK_UNITS, type CorruptOptions, type MaskUnit, type Replacement } from "./masking.ts";

/** Linear from `from` to `to` over the first `steps` steps, then `to`. */
export interface RateSchedule {
  readonly from: number;
  readonly to: number;
  readonly steps: number;
}

export interface MlmOptions {
  /** Share of the tokens to predict. Default 0.15. */
  readonly rate?: number | RateSchedule;
  /** "bert": 80 % mask, 10 % random, 10 % kept (default). "mask": always the mask token. */
  readonly replace?: "bert" | "mask" | Replacement;
  /** What is chosen as one: single tokens (default), whole words, runs of words as in ALBERT (1 to 3) or as in SpanBERT (1 to 10). */
  readonly unit?: MaskUnit;
}

/** Evaluation's own: never an option, or numbers would not compare. */
export const EVALUATION: { readonly seed: number; readonly rate: number; readonly replacement: Replacement } = { seed: 20240520, rate: 0.15, replacement: ALL_MASK };

const KEYS = ["rate", "replace", "unit"] as const;

export function mlm(tokens: TokenSet, options: MlmOptions = {}): Objective<"masked-lm"> {
  const maskId = tokens.special.mask;
  if (maskId === undefined) throw new ConfigError("mlm: the tokenizer has no mask token. Choose a tokenizer with one.");
  const unknown = Object.keys(options).find((key) => !KEYS.includes(key as (typeof KEYS)[number]));
  if (unknown !== undefined) throw new ConfigError(`mlm: unknown option "${unknown}". It takes: ${KEYS.join(", ")}.`);
  const rate = options.rate ?? 0.15, replacement = replacementOf(options.replace ?? "bert"), unit = options.unit ?? "token";
  const schedule: RateSchedule = typeof rate === "number" ? { from: rate, to: rate, steps: 0 } : rate;
  for (const r of [schedule.from, schedule.to]) if (!(r > 0 && r < 1)) throw new ConfigError(`mlm: rate: expected a share between 0 and 1, got ${r}.`);
  if (!MASK_UNITS.includes(unit)) throw new ConfigError(`mlm: unit: expected one of ${MASK_UNITS.join(", ")}, got ${JSON.stringify(unit)}.`);

  const { specialIds, regularIds, continuesWord = wordPieces(tokens.vocabulary) } = tokens;
  const setting: Setting = { specialIds, regularIds, continuesWord, maskId, schedule, replacement, unit, highest: Math.max(schedule.from, schedule.to) };
  return {
    name: "mlm",
    requires: "masked-lm",
    options: { rate, replace: options.replace ?? "bert", unit },
    prepare: (batch, moment) => prepare(batch, moment, setting),
    loss,
  };
}

function replacementOf(replace: "bert" | "mask" | Replacement): Replacement {
  if (replace === "bert") return BERT_REPLACEMENT;
  if (replace === "mask") return ALL_MASK;
  const { mask, random } = replace;
  if (!(mask >= 0 && random >= 0 && mask + random <= 1)) {
    throw new ConfigError(`mlm: replace: expected "bert", "mask", or shares mask + random <= 1, got ${JSON.stringify(replace)}.`);
  }
  return replace;
}

/** WordPiece's mark of a token that continues a word. */
function wordPieces(vocabulary: readonly string[]): (id: number) => boolean {
  const continues = Uint8Array.from(vocabulary, (token) => (token.startsWith("##") ? 1 : 0));
  return (id) => continues[id] === 1;
}

/** The rate in force at a step. */
export function rateAt(schedule: RateSchedule, step: number): number {
  const done = schedule.steps <= 0 ? 1 : Math.min(1, step / schedule.steps);
  return schedule.from + (schedule.to - schedule.from) * done;
}

interface Setting extends Required<Omit<CorruptOptions, "rate">> {
  readonly schedule: RateSchedule;
  /** Highest rate of the schedule: what the slots are sized for. */
  readonly highest: number;
}

function prepare(batch: TokenBatch, moment: Moment, setting: Setting): Prepared {
  const { evaluation } = moment;
  const options: CorruptOptions = evaluation ? { ...setting, ...EVALUATION, unit: "token" } : { ...setting, rate: rateAt(setting.schedule, moment.step) };
  const root = evaluation ? new RandomStream(EVALUATION.seed).split("mlm") : new RandomStream(moment.seed).split("mlm").split(moment.step);
  const ids = batch.ids.slice(), targets: Target[] = [];
  for (const { example, row, start, length } of batch.sequences) {
    const first = row * batch.length + start, sequence = batch.ids.subarray(first, first + length);
    for (const { at, token } of corruptSequence(sequence, options, root.split(evaluation ? contentOf(sequence) : example))) {
      targets.push({ index: first + at, token: sequence[at] as number });
      ids[first + at] = token;
    }
  }
  const usual = Math.ceil((evaluation ? EVALUATION.rate : setting.highest) * batch.rows * batch.length);
  return { feeds: { ...encoderFeeds(batch, ids), ...slotFeeds(targets, usual) }, weights: { loss: targets.length } };
}

/** A number below 2^53 for a sequence's content: two FNV-1a hashes of its ids. So a sequence is masked alike in whatever file, order or part of the data it stands. */
function contentOf(ids: Int32Array): number {
  let low = 0x811c9dc5, high = 0x9e3779b9;
  for (const id of ids) {
    low = Math.imul(low ^ id, 0x01000193);
    high = Math.imul(high ^ (id + 0x55), 0x01000193);
  }
  return (low >>> 0) + ((high >>> 11) & 0x1fffff) * 2 ** 32;
}

function loss(scope: Scope, model: MaskedLm, feeds: Readonly<Record<string, Tensor>>): LossTerms {
  const hidden = model.encode(scope, encoderInputs(feeds));
  const index = feeds["slots.index"] as Tensor<"i32">, targets = feeds["slots.target"] as Tensor<"i32">, weights = feeds["slots.weight"] as Tensor<"f32">;
  const logits = model.predict(scope, hidden.reshape([-1, model.hidden]).gather(index));
  const predictions = logits.argMax(-1), weight = weights.sum();
  return {
    loss: { sum: crossEntropy(logits, targets).mul(weights).sum(), weight },
    metrics: { accuracy: { sum: predictions.equal(targets).cast("f32").mul(weights).sum(), weight } },
    tokens: { predictions, targets, weights },
  };
}
