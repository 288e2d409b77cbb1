/**
 * The objective my-objective: it hides a few tokens of each sequence behind the mask token, and the model predicts
 * them.
 *
 * This is a start that works. Make it your own: change the tokens that `prepare` hides and the question that `loss`
 * asks, and run `npm test` again.
 */
import { ConfigError } from "@cloze/errors";
import { crossEntropy } from "@cloze/graph";
import { encoderFeeds, encoderInputs, slotFeeds } from "@cloze/objective";
import { RandomStream } from "@cloze/random";

/**
 * @template {"f32" | "i32"} D
 * @typedef {import("@cloze/graph").Tensor<D>} Tensor
 */

/**
 * `cloze pretrain --objective my-objective` calls this function. Its options come from the flag:
 *
 *   --objective-options '{"count":3}'
 *
 * @type {import("@cloze/objective").ObjectiveMaker<"masked-lm">}
 */
export const objective = ({ special, specialIds }, options = {}) => {
  const { count = 2, ...unknown } = options;
  const maskId = special.mask;
  if (typeof count !== "number" || !Number.isInteger(count) || count < 1)
    throw new ConfigError(`my-objective: count: expected a whole number of 1 or more, got ${JSON.stringify(count)}.`);
  if (Object.keys(unknown).length > 0)
    throw new ConfigError(`my-objective: unknown option ${Object.keys(unknown).join(", ")}. It takes: count.`);
  if (maskId === undefined)
    throw new ConfigError("my-objective: the tokenizer has no mask token. Choose a tokenizer with one.");

  return {
    name: "my-objective",
    // The part of a model that `loss` gets. PART_METHODS of @cloze/objective has the other parts.
    requires: "masked-lm",
    options: { count },

    // On the host: tokens -> typed arrays. A pure function of the sequences and of (seed, step), so that a run can be
    // resumed and spread over machines. Evaluation draws the same tokens in every run, so that runs compare.
    prepare(batch, { seed, step, evaluation }) {
      const draws = evaluation
        ? new RandomStream(0).split("my-objective")
        : new RandomStream(seed).split("my-objective").split(step);
      const ids = batch.ids.slice();
      const targets = [];
      for (const { example, row, start, length } of batch.sequences) {
        const first = row * batch.length + start;
        const own = draws.split(example);
        const maskable = Array.from({ length }, (_, i) => first + i).filter(
          (at) => !specialIds.has(batch.ids[at] ?? 0),
        );
        const hidden = maskable
          .map((at) => ({ at, draw: own.uniform(at - first) }))
          .sort((a, b) => a.draw - b.draw)
          .slice(0, count);
        for (const { at } of hidden) {
          targets.push({ index: at, token: batch.ids[at] ?? 0 });
          ids[at] = maskId;
        }
      }
      // Slots hold the positions to predict. Their number grows in steps, so that few programs serve all batches.
      return {
        feeds: { ...encoderFeeds(batch, ids), ...slotFeeds(targets, count * batch.rows) },
        weights: { loss: targets.length },
      };
    },

    // On the graph: the same arrays as inputs -> a sum and its weight. The trainer adds both over the whole batch and
    // divides once.
    loss(scope, model, feeds) {
      const index = /** @type {Tensor<"i32">} */ (feeds["slots.index"]);
      const targets = /** @type {Tensor<"i32">} */ (feeds["slots.target"]);
      const weights = /** @type {Tensor<"f32">} */ (feeds["slots.weight"]);
      const weight = weights.sum();
      const states = model.encode(scope, encoderInputs(feeds)).reshape([-1, model.hidden]);
      const logits = model.predict(scope, states.gather(index));
      const predictions = logits.argMax(-1);
      return {
        loss: { sum: crossEntropy(logits, targets).mul(weights).sum(), weight },
        metrics: { accuracy: { sum: predictions.equal(targets).cast("f32").mul(weights).sum(), weight } },
        tokens: { predictions, targets, weights },
      };
    },
  };
};
