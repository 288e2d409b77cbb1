// The step of step-encoder.mjs in @jax-js/jax, jitted as a whole, with the same parameter names, data and AdamW. In
// jax-js a reader consumes its arrays; `.ref` keeps an array for another reader.
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, scipySpecial, valueAndGrad } from "@jax-js/jax";
import { optimizer } from "./step-encoder.mjs";

/** Resolves to a function that runs step t and resolves to its loss. `state` and `feeds` are those of `encoderStep`. */
export async function jaxStep(device, sizes, state, feeds) {
  const { layers, hidden, heads, batch, seq, vocab } = sizes;
  const rows = batch * seq;
  const headDim = hidden / heads;
  await init(device);
  defaultDevice(device);
  const array = (t) => np.array(t.data, { shape: t.shape, dtype: t.dtype === "i32" ? np.int32 : np.float32 });
  const names = Object.keys(state).filter((name) => !name.startsWith("adamw."));
  let params = Object.fromEntries(names.map((n) => [n, array(state[n])]));
  let moments = Object.fromEntries(
    names.map((n) => [n, { m: array(state[`adamw.m.${n}`]), v: array(state[`adamw.v.${n}`]) }]),
  );

  const linear = (p, name, x) => np.matmul(x, np.transpose(p[`${name}.weight`].ref)).add(p[`${name}.bias`].ref);
  const norm = (p, name, x) => {
    const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
    const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
    return centred
      .mul(np.reciprocal(np.sqrt(variance.add(1e-5))))
      .mul(p[`${name}.weight`].ref)
      .add(p[`${name}.bias`].ref);
  };
  const split = (x) => np.transpose(x.reshape([batch, seq, heads, headDim]), [0, 2, 1, 3]);
  const gelu = (x) => x.ref.mul(scipySpecial.erf(x.mul(Math.SQRT1_2)).mul(0.5).add(0.5));

  const loss = (p, ids, targets) => {
    let x = np
      .matmul(nn.oneHot(ids, vocab), p["word_embeddings.weight"].ref)
      .reshape([batch, seq, hidden])
      .add(p["position_embeddings.weight"].ref)
      .reshape([rows, hidden]);
    for (let i = 0; i < layers; i++) {
      const at = (name) => `layer.${i}.${name}`;
      const n = norm(p, at("attention.LayerNorm"), x.ref);
      const q = split(linear(p, at("attention.self.query"), n.ref));
      const k = split(linear(p, at("attention.self.key"), n.ref));
      const v = split(linear(p, at("attention.self.value"), n));
      const weights = nn.softmax(np.matmul(q, np.transpose(k, [0, 1, 3, 2])).mul(1 / Math.sqrt(headDim)), -1);
      const mixed = np.transpose(np.matmul(weights, v), [0, 2, 1, 3]).reshape([rows, hidden]);
      x = x.add(linear(p, at("attention.output.dense"), mixed));
      x = x.ref.add(
        linear(p, at("output.dense"), gelu(linear(p, at("intermediate.dense"), norm(p, at("LayerNorm"), x)))),
      );
    }
    const logits = np.matmul(norm(p, "layer_norm_after", x), np.transpose(p["word_embeddings.weight"].ref));
    const picked = nn.oneHot(targets, vocab).mul(nn.logSoftmax(logits, -1));
    for (const name of names) p[name].dispose();
    return np.sum(picked).mul(-1 / rows);
  };

  const { beta1, beta2, weightDecay } = optimizer;
  const step = jit((p, s, scalars, ids, targets) => {
    const [value, grads] = valueAndGrad(loss)(Object.fromEntries(names.map((n) => [n, p[n].ref])), ids, targets);
    const next = {};
    const nextState = {};
    for (const n of names) {
      const g = grads[n];
      const { m, v } = s[n];
      const m2 = m.ref.add(g.ref.sub(m).mul(1 - beta1));
      const v2 = v.ref.add(
        np
          .square(g)
          .sub(v)
          .mul(1 - beta2),
      );
      const decayed = p[n].shape.length < 2 ? p[n] : p[n].mul(scalars.lr.ref.mul(-weightDecay).add(1));
      next[n] = decayed.sub(m2.ref.mul(scalars.step.ref).div(np.sqrt(v2.ref).add(scalars.epsHat.ref)));
      nextState[n] = { m: m2, v: v2 };
    }
    for (const scalar of Object.values(scalars)) scalar.dispose();
    return [value, next, nextState];
  });

  return async (t) => {
    const f = feeds(t);
    const scalars = { lr: array(f["optim.lr"]), step: array(f["optim.step"]), epsHat: array(f["optim.epsHat"]) };
    const [value, next, nextState] = step(params, moments, scalars, array(f.ids), array(f.targets));
    params = next;
    moments = nextState;
    await blockUntilReady([params, moments]);
    return (await value.data())[0];
  };
}
