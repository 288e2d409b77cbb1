/**
 * Masked language modelling: some tokens are hidden, and the model predicts them from both sides.
 *
 * Training corrupts a fraction `rate` of the tokens (which may change during the run), drawn by (seed, step, example).
 * Evaluation uses `evaluationMask`: always the same 15 %, replaced by `<mask>`, so that the figures of different runs
 * can be compared. Source: Devlin et al. 2018, arXiv:1810.04805.
 */
import { ConfigError } from "@cloze/errors";
import {
  encoderFeeds,
  evaluationMask,
  maskTokenOf,
  predictSlots,
  slotFeeds,
  TOKEN_LOSS_KEYS,
  tokenLoss,
  type Moment,
  type Objective,
  type Prepared,
  type Target,
  type TokenLossOptions,
  type TokenSet,
} from "@cloze/objective";
import { RandomStream } from "@cloze/random";
import { atStep, linearSchedule, type Scheduled, type ValueSchedule } from "@cloze/schedule";
import type { TokenBatch } from "@cloze/tokenizer";
import {
  ALL_MASK,
  BERT_REPLACEMENT,
  corruptSequence,
  MASK_UNITS,
  type CorruptOptions,
  type MaskUnit,
  type Replacement,
} from "./masking.ts";

/** The options of mlm, including label smoothing and z-loss as further terms of training. */
export interface MlmOptions extends TokenLossOptions {
  /** Fraction of the tokens to predict. It may change during the run: `"0:0.3,1:0.1"`. Default 0.15. */
  readonly rate?: Scheduled<number>;
  /** "bert": 80 % mask, 10 % random, 10 % unchanged (default). "mask": always the mask token. */
  readonly replace?: "bert" | "mask" | Replacement;
  /**
   * The unit of choice: single tokens (default), whole words, or runs of words as in ALBERT (1 to 3) or SpanBERT (1 to
   * 10).
   */
  readonly unit?: MaskUnit;
}

const KEYS = ["rate", "replace", "unit", ...TOKEN_LOSS_KEYS] as const;

export function mlm(tokens: TokenSet, options: MlmOptions = {}): Objective<"masked-lm"> {
  const maskId = maskTokenOf(tokens, "mlm");
  const judge = tokenLoss("mlm", options);
  const unknown = Object.keys(options).find((key) => !KEYS.includes(key as (typeof KEYS)[number]));
  if (unknown !== undefined) throw new ConfigError(`mlm: unknown option "${unknown}". It takes: ${KEYS.join(", ")}.`);
  const rate = options.rate ?? 0.15;
  const replacement = replacementOf(options.replace ?? "bert");
  const unit = options.unit ?? "token";
  const rates = linearSchedule(rate, {
    where: "mlm: rate",
    check: (r) => r > 0 && r < 1,
    expected: "a share between 0 and 1",
  });
  if (!MASK_UNITS.includes(unit))
    throw new ConfigError(`mlm: unit: expected one of ${MASK_UNITS.join(", ")}, got ${JSON.stringify(unit)}.`);

  const { specialIds, regularIds, continuesWord = wordPieces(tokens.vocabulary) } = tokens;
  const setting: Setting = {
    specialIds,
    regularIds,
    continuesWord,
    maskId,
    rates,
    replacement,
    unit,
    highest: Math.max(...rates.points.map(({ value }) => value)),
  };
  return {
    name: "mlm",
    requires: "masked-lm",
    options: { rate, replace: options.replace ?? "bert", unit, ...judge.options },
    comparable: true,
    prepare(batch, moment) {
      const { feeds, weights } = moment.evaluation ? evaluationMask(batch, tokens) : prepare(batch, moment, setting);
      return { feeds, weights: judge.weights(weights.loss) };
    },
    loss: (scope, model, feeds) => judge.terms(predictSlots(scope, model, feeds)),
  };
}

function replacementOf(replace: "bert" | "mask" | Replacement): Replacement {
  if (replace === "bert") return BERT_REPLACEMENT;
  if (replace === "mask") return ALL_MASK;
  const { mask, random } = replace;
  if (!(mask >= 0 && random >= 0 && mask + random <= 1)) {
    throw new ConfigError(
      `mlm: replace: expected "bert", "mask", or shares mask + random <= 1, got ${JSON.stringify(replace)}.`,
    );
  }
  return replace;
}

/** Tests for WordPiece's mark of a token that continues a word, `##`. */
function wordPieces(vocabulary: readonly string[]): (id: number) => boolean {
  const continues = Uint8Array.from(vocabulary, (token) => (token.startsWith("##") ? 1 : 0));
  return (id) => continues[id] === 1;
}

interface Setting extends Required<Omit<CorruptOptions, "rate">> {
  readonly rates: ValueSchedule<number>;
  /** Highest rate of the schedule, which sets the number of slots. */
  readonly highest: number;
}

function prepare(
  batch: TokenBatch,
  moment: Moment,
  setting: Setting,
): Prepared & { readonly weights: { readonly loss: number } } {
  const options: CorruptOptions = { ...setting, rate: setting.rates.at(moment.progress ?? atStep(moment.step)) };
  const root = new RandomStream(moment.seed).split("mlm").split(moment.step);
  const ids = batch.ids.slice();
  const targets: Target[] = [];
  for (const { example, row, start, length } of batch.sequences) {
    const first = row * batch.length + start;
    const sequence = batch.ids.subarray(first, first + length);
    for (const { at, token } of corruptSequence(sequence, options, root.split(example))) {
      targets.push({ index: first + at, token: sequence[at] as number });
      ids[first + at] = token;
    }
  }
  return {
    feeds: {
      ...encoderFeeds(batch, ids),
      ...slotFeeds(targets, Math.ceil(setting.highest * batch.rows * batch.length)),
    },
    weights: { loss: targets.length },
  };
}
