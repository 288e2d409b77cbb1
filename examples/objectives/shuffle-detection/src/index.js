/**
 * Shuffle detection: some tokens of each sequence trade places, and the model says of every token whether it was moved.
 *
 * Of n tokens floor(rate * n + u) are drawn, with u from [0, 1), and moved in a ring: each place gets the token of the
 * next place. If a place gets an equal token, nobody can see the move, and the label is 0. The model judges every
 * token, not only the 15 % of masked language modelling. Source: Yamaguchi et al. 2021, arXiv:2109.01819, "Shuffle"
 * (two classes: shuffled or not).
 */
import { ConfigError } from "@cloze/errors";
import { crossEntropy } from "@cloze/graph";
import { encoderFeeds, encoderInputs, slotFeeds } from "@cloze/objective";
import { RandomStream } from "@cloze/random";

/**
 * @template {"f32" | "i32"} D
 * @typedef {import("@cloze/graph").Tensor<D>} Tensor
 */

/** @type {import("@cloze/objective").ObjectiveMaker<"token-classification">} */
export const objective = ({ specialIds }, options = {}) => {
  const { rate = 0.15, ...unknown } = options;
  if (typeof rate !== "number" || !(rate > 0 && rate <= 1))
    throw new ConfigError(
      `shuffle-detection: rate: expected a share above 0 and up to 1, got ${JSON.stringify(rate)}.`,
    );
  if (Object.keys(unknown).length > 0)
    throw new ConfigError(`shuffle-detection: unknown option ${Object.keys(unknown).join(", ")}. It takes: rate.`);

  return {
    name: "shuffle-detection",
    requires: "token-classification",
    options: { rate },

    prepare(batch, { seed, step, evaluation }) {
      const draws = evaluation
        ? new RandomStream(0).split("shuffle")
        : new RandomStream(seed).split("shuffle").split(step);
      const ids = batch.ids.slice();
      const targets = [];
      for (const { example, row, start, length } of batch.sequences) {
        const first = row * batch.length + start;
        const own = draws.split(example);
        const order = own.split("order");
        const places = Array.from({ length }, (_, i) => first + i).filter((at) => !specialIds.has(batch.ids[at] ?? 0));
        const count = Math.floor(rate * places.length + own.uniform(0));
        const ring = places
          .map((at) => ({ at, draw: order.uniform(at - first) }))
          .sort((a, b) => a.draw - b.draw)
          .slice(0, count)
          .map(({ at }) => at);
        for (const [i, at] of ring.entries()) ids[at] = batch.ids[ring[(i + 1) % ring.length] ?? at] ?? 0;
        for (const at of places) targets.push({ index: at, token: ids[at] === batch.ids[at] ? 0 : 1 });
      }
      return {
        feeds: { ...encoderFeeds(batch, ids), ...slotFeeds(targets, batch.rows * batch.length) },
        weights: { loss: targets.length },
      };
    },

    loss(scope, model, feeds) {
      const index = /** @type {Tensor<"i32">} */ (feeds["slots.index"]);
      const targets = /** @type {Tensor<"i32">} */ (feeds["slots.target"]);
      const weights = /** @type {Tensor<"f32">} */ (feeds["slots.weight"]);
      const weight = weights.sum();
      const states = model.encode(scope, encoderInputs(feeds)).reshape([-1, model.hidden]).gather(index);
      const logits = model.classifyTokens(scope, states, 2);
      const predictions = logits.argMax(-1);
      return {
        loss: { sum: crossEntropy(logits, targets).mul(weights).sum(), weight },
        metrics: { accuracy: { sum: predictions.equal(targets).cast("f32").mul(weights).sum(), weight } },
        tokens: { predictions, targets, weights },
      };
    },
  };
};
