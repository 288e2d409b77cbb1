/**
 * Objectives over pairs of texts: does the second text follow the first? The model gives one pair of logits for each
 * packed pair of texts, at its first token.
 *
 * These objectives corrupt nothing and draw nothing. The data (`pairBatches`) chooses the pairs and their labels, as a
 * function of (seed, epoch, index). Sequences without a pair, such as a text of one sentence, are left out.
 */
import { ConfigError } from "@cloze/errors";
import { crossEntropy, type Tensor } from "@cloze/graph";
import type { TokenBatch } from "@cloze/tokenizer";
import { encoderInputsOf, slotScope } from "@cloze/nn";
import { encoderFeeds } from "./batch-feeds.ts";
import type { Objective, Prepared, Rows } from "./objective.ts";
import { slotFeeds } from "./slots.ts";

/** The usual number of pairs in a row, which sets the number of slots. Batches with more pairs use the next size. */
const USUAL_PAIRS = 2;

/** An objective over pairs. It has no options: throws ConfigError if `options` is not empty. */
export function sentencePairObjective(
  name: string,
  second: Exclude<Rows, string>["second"],
  options: Readonly<Record<string, unknown>> = {},
): Objective<"sentence-pair"> {
  const unknown = Object.keys(options)[0];
  if (unknown !== undefined)
    throw new ConfigError(
      `${name}: unknown option "${unknown}". It takes none: the share of false pairs is the data's.`,
    );
  return {
    name,
    requires: "sentence-pair",
    rows: { kind: "sentence-pairs", second },
    options: {},
    prepare: (batch) => prepare(name, batch),
    loss(scope, model, feeds) {
      const {
        "slots.index": index,
        "slots.target": targets,
        "slots.weight": weights,
      } = feeds as Readonly<Record<string, Tensor>> as {
        readonly "slots.index": Tensor<"i32">;
        readonly "slots.target": Tensor<"i32">;
        readonly "slots.weight": Tensor<"f32">;
      };
      const inputs = encoderInputsOf(feeds);
      const first = model.encode(scope, inputs).reshape([-1, model.hidden]).gather(index);
      const logits = model.relate(slotScope(scope, inputs.ids.shape as [number, number], index), first);
      const predictions = logits.argMax(-1);
      const weight = weights.sum();
      return {
        loss: { sum: crossEntropy(logits, targets).mul(weights).sum(), weight },
        metrics: { accuracy: { sum: predictions.equal(targets).cast("f32").mul(weights).sum(), weight } },
        tokens: { predictions, targets, weights },
      };
    },
  };
}

function prepare(name: string, batch: TokenBatch): Prepared {
  if (batch.types === undefined)
    throw new ConfigError(
      `${name}: expected rows of sentence pairs, got rows of single sequences. Make them with pairBatches, of ` +
        "data with documents.",
    );
  const targets = batch.sequences.flatMap(({ row, start, pair }) =>
    pair === undefined ? [] : [{ index: row * batch.length + start, token: pair.label }],
  );
  return {
    feeds: { ...encoderFeeds(batch), ...slotFeeds(targets, USUAL_PAIRS * batch.rows) },
    weights: { loss: targets.length },
  };
}
