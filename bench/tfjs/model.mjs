// The encoder of step-encoder.mjs, handwritten in TensorFlow.js in the style of its users.

/**
 * The loss as a function of the parameters, in the order of `names`. `gathers` says that the backend has a gradient of
 * `gather`. Without it a product with one-hot rows selects the embeddings.
 */
export function tfjsLoss(tf, { layers, hidden, heads, batch, seq, vocab }, names, { gathers = true } = {}) {
  const rows = batch * seq;
  const headDim = hidden / heads;
  const norm = (p, name, x) => {
    const centred = x.sub(x.mean(-1, true));
    return centred
      .mul(centred.square().mean(-1, true).add(1e-5).rsqrt())
      .mul(p[`${name}.weight`])
      .add(p[`${name}.bias`]);
  };
  const linear = (p, name, x) => tf.matMul(x, p[`${name}.weight`], false, true).add(p[`${name}.bias`]);
  const split = (x) => x.reshape([batch, seq, heads, headDim]).transpose([0, 2, 1, 3]);
  const gelu = (x) => x.mul(x.mul(Math.SQRT1_2).erf().mul(0.5).add(0.5));
  const pick = (table, ids) => (gathers ? tf.gather(table, ids) : tf.matMul(tf.oneHot(ids, vocab).toFloat(), table));
  return (ids, targets) =>
    (...list) => {
      const p = Object.fromEntries(names.map((n, i) => [n, list[i]]));
      let x = pick(p["word_embeddings.weight"], ids)
        .reshape([batch, seq, hidden])
        .add(p["position_embeddings.weight"])
        .reshape([rows, hidden]);
      for (let i = 0; i < layers; i++) {
        const at = (name) => `layer.${i}.${name}`;
        const h = norm(p, at("attention.LayerNorm"), x);
        const [q, k, value] = ["query", "key", "value"].map((name) =>
          split(linear(p, at(`attention.self.${name}`), h)),
        );
        const mixed = tf
          .matMul(tf.softmax(tf.matMul(q, k, false, true).mul(1 / Math.sqrt(headDim))), value)
          .transpose([0, 2, 1, 3])
          .reshape([rows, hidden]);
        x = x.add(linear(p, at("attention.output.dense"), mixed));
        x = x.add(
          linear(p, at("output.dense"), gelu(linear(p, at("intermediate.dense"), norm(p, at("LayerNorm"), x)))),
        );
      }
      const logits = tf.matMul(norm(p, "layer_norm_after", x), p["word_embeddings.weight"], false, true);
      return tf
        .oneHot(targets, vocab)
        .mul(tf.logSoftmax(logits))
        .sum()
        .mul(-1 / rows);
    };
}
