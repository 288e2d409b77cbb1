// The step of step-encoder.mjs in @tensorflow/tfjs on its WebGPU backend: same parameters by name, same data, same AdamW.
import { optimizer } from "../step-encoder.mjs";

/** `run(t)` does step t and gives its loss; `device` is what the backend runs on. */
export async function tfjsStep(device, sizes, state, feeds) {
  // Imported late: both look for navigator.gpu when they load. The core alone would register no gradients.
  const tf = await import("@tensorflow/tfjs");
  await import("@tensorflow/tfjs-backend-webgpu");
  if (!(await tf.setBackend("webgpu"))) throw new Error("bench: tfjs did not start its webgpu backend");
  const backend = tf.backend(), { layers, hidden, heads, batch, seq, vocab } = sizes, rows = batch * seq, headDim = hidden / heads;
  if (backend.device !== device) throw new Error("bench: expected tfjs to share the device, got another");
  const array = ({ data, shape, dtype }) => tf.tensor(data, shape, dtype === "i32" ? "int32" : "float32");
  const names = Object.keys(state).filter((name) => !name.startsWith("adamw."));
  let params = names.map((n) => array(state[n])), m = names.map((n) => array(state[`adamw.m.${n}`])), v = names.map((n) => array(state[`adamw.v.${n}`]));

  const norm = (p, name, x) => {
    const centred = x.sub(x.mean(-1, true));
    return centred.mul(centred.square().mean(-1, true).add(1e-5).rsqrt()).mul(p[`${name}.weight`]).add(p[`${name}.bias`]);
  };
  const linear = (p, name, x) => tf.matMul(x, p[`${name}.weight`], false, true).add(p[`${name}.bias`]);
  const split = (x) => x.reshape([batch, seq, heads, headDim]).transpose([0, 2, 1, 3]);
  const gelu = (x) => x.mul(x.mul(Math.SQRT1_2).erf().mul(0.5).add(0.5));
  const lossOf = (ids, targets) => (...list) => {
    const p = Object.fromEntries(names.map((n, i) => [n, list[i]]));
    let x = tf.gather(p["word_embeddings.weight"], ids).reshape([batch, seq, hidden]).add(p["position_embeddings.weight"]).reshape([rows, hidden]);
    for (let i = 0; i < layers; i++) {
      const at = (name) => `layer.${i}.${name}`, h = norm(p, at("attention.LayerNorm"), x);
      const [q, k, value] = ["query", "key", "value"].map((name) => split(linear(p, at(`attention.self.${name}`), h)));
      const mixed = tf.matMul(tf.softmax(tf.matMul(q, k, false, true).mul(1 / Math.sqrt(headDim))), value).transpose([0, 2, 1, 3]).reshape([rows, hidden]);
      x = x.add(linear(p, at("attention.output.dense"), mixed));
      x = x.add(linear(p, at("output.dense"), gelu(linear(p, at("intermediate.dense"), norm(p, at("LayerNorm"), x)))));
    }
    const logits = tf.matMul(norm(p, "layer_norm_after", x), p["word_embeddings.weight"], false, true);
    return tf.oneHot(targets, vocab).mul(tf.logSoftmax(logits)).sum().mul(-1 / rows);
  };

  const { beta1, beta2, weightDecay } = optimizer;
  return async (t) => {
    const f = feeds(t), old = [...params, ...m, ...v];
    const made = tf.tidy(() => {
      const [lr, step, epsHat] = ["lr", "step", "epsHat"].map((name) => array(f[`optim.${name}`]));
      const { value, grads } = tf.valueAndGrads(lossOf(array(f.ids), array(f.targets)))(params);
      const m2 = grads.map((g, i) => m[i].add(g.sub(m[i]).mul(1 - beta1))), v2 = grads.map((g, i) => v[i].add(g.square().sub(v[i]).mul(1 - beta2)));
      const next = params.map((p, i) => (p.rank < 2 ? p : p.mul(lr.mul(-weightDecay).add(1))).sub(m2[i].mul(step).div(v2[i].sqrt().add(epsHat))));
      return { value, next, m2, v2 };
    });
    [params, m, v] = [made.next, made.m2, made.v2];
    tf.dispose(old);
    // Without these two the queue holds nothing yet, and the wait below measures nothing.
    backend.endComputePassEncoder();
    backend.submitQueue();
    await device.queue.onSubmittedWorkDone();
    const [loss] = await made.value.data();
    made.value.dispose();
    return loss;
  };
}
