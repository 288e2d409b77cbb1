// The step of step-encoder.mjs in @tensorflow/tfjs on its WebGPU backend: same parameters by name, same data, same
// AdamW.
import { optimizer } from "../step-encoder.mjs";
import { tfjsLoss } from "../tfjs/model.mjs";

/** `run(t)` does step t and gives its loss; `device` is what the backend runs on. */
export async function tfjsStep(device, sizes, state, feeds) {
  // Imported late: both look for navigator.gpu when they load. The core alone would register no gradients.
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
    // Without these two the queue holds nothing yet, and the wait below measures nothing.
    backend.endComputePassEncoder();
    backend.submitQueue();
    await device.queue.onSubmittedWorkDone();
    const [loss] = await made.value.data();
    made.value.dispose();
    return loss;
  };
}
