// The step of step-encoder.mjs in @tensorflow/tfjs on its WebGPU backend, with the same parameter names, data and
// AdamW.
import { optimizer } from "../step-encoder.mjs";
import { tfjsLoss } from "../tfjs/model.mjs";

/** Resolves to a function that runs step t and resolves to its loss. `device` is the device of the backend. */
export async function tfjsStep(device, sizes, state, feeds) {
  // The imports are here because both packages look for navigator.gpu when they load. The core alone has no gradients.
  const tf = await import("@tensorflow/tfjs");
  await import("@tensorflow/tfjs-backend-webgpu");
  if (!(await tf.setBackend("webgpu"))) throw new Error("bench: tfjs did not start its webgpu backend");
  const backend = tf.backend();
  if (backend.device !== device) throw new Error("bench: expected tfjs to share the device, got another");
  const array = ({ data, shape, dtype }) => tf.tensor(data, shape, dtype === "i32" ? "int32" : "float32");
  const names = Object.keys(state).filter((name) => !name.startsWith("adamw."));
  let params = names.map((n) => array(state[n]));
  let m = names.map((n) => array(state[`adamw.m.${n}`]));
  let v = names.map((n) => array(state[`adamw.v.${n}`]));

  const lossOf = tfjsLoss(tf, sizes, names);
  const { beta1, beta2, weightDecay } = optimizer;
  return async (t) => {
    const f = feeds(t);
    const old = [...params, ...m, ...v];
    const made = tf.tidy(() => {
      const [lr, step, epsHat] = ["lr", "step", "epsHat"].map((name) => array(f[`optim.${name}`]));
      const { value, grads } = tf.valueAndGrads(lossOf(array(f.ids), array(f.targets)))(params);
      const m2 = grads.map((g, i) => m[i].add(g.sub(m[i]).mul(1 - beta1)));
      const v2 = grads.map((g, i) =>
        v[i].add(
          g
            .square()
            .sub(v[i])
            .mul(1 - beta2),
        ),
      );
      const next = params.map((p, i) =>
        (p.rank < 2 ? p : p.mul(lr.mul(-weightDecay).add(1))).sub(m2[i].mul(step).div(v2[i].sqrt().add(epsHat))),
      );
      return { value, next, m2, v2 };
    });
    [params, m, v] = [made.next, made.m2, made.v2];
    tf.dispose(old);
    // Without these two calls the queue is still empty, and the wait below measures nothing.
    backend.endComputePassEncoder();
    backend.submitQueue();
    await device.queue.onSubmittedWorkDone();
    const [loss] = await made.value.data();
    made.value.dispose();
    return loss;
  };
}
