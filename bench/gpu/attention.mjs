// A bench of attention alone, forward and with its gradient, on whole rows, packed rows, and with a window. FLOPs count
// only visible pairs: 4 pairs headDim forward, and 10 more backward (five products; the backward pass computes the
// probabilities again).
import { attention, Graph, program, pullback } from "@cloze/graph";
import { timeRuns } from "./timing.mjs";

const sizesOf = (quick) =>
  quick
    ? [{ batch: 1, heads: 2, seq: 64, headDim: 32 }]
    : [
        { batch: 8, heads: 20, seq: 1024, headDim: 64 },
        { batch: 64, heads: 20, seq: 512, headDim: 16 },
        { batch: 2, heads: 12, seq: 8192, headDim: 64 },
      ];

function built({ batch, heads, seq, headDim }, { packed, window }, backward) {
  const g = new Graph();
  const shape = [batch, heads, seq, headDim];
  const [q, k, v, ct] = ["q", "k", "v", "ct"].map((name) => g.input(name, "f32", shape));
  const segments = packed === undefined ? undefined : g.input("segments", "i32", [batch, seq]);
  const y = attention(q, k, v, { ...(segments && { segments }), ...(window && { window }) });
  // Each output is one number that depends on all elements of a timed result.
  const parts = backward ? [y, ...pullback([y], [ct], [q, k, v])] : [y];
  const outputs = Object.fromEntries(parts.map((part, i) => [`sum${i}`, part.mul(part).sum()]));
  return program(g, { state: [q, k, v, ...(backward ? [ct] : []), ...(segments ? [segments] : [])], outputs });
}

/** The number of visible pairs (query, key) in one head of one row. */
function pairsOf(seq, { packed, window }) {
  if (packed !== undefined) return Math.floor(seq / packed) * packed ** 2 + (seq % packed) ** 2;
  return window === undefined ? seq ** 2 : seq * (2 * window + 1) - window * (window + 1);
}

export async function timeAttention({ backend, mode, compute, quick, log, rounds }) {
  const rows = [];
  for (const size of sizesOf(quick)) {
    const { batch, heads, seq, headDim } = size;
    const shape = [batch, heads, seq, headDim];
    const count = batch * heads * seq * headDim;
    // Software drivers take long to compile each of these. So a quick run has one with a gradient and one with a
    // window.
    const masks = quick
      ? { packed: { packed: Math.floor(seq / 5) }, window: { window: seq / 8 } }
      : { full: {}, packed: { packed: Math.floor(seq / 5) }, window: { window: Math.min(64, seq / 8) } };
    for (const [mask, how] of Object.entries(masks))
      for (const backward of quick && mask === "window" ? [false] : [false, true]) {
        const state = Object.fromEntries(
          ["q", "k", "v", ...(backward ? ["ct"] : [])].map((name, salt) => [
            name,
            {
              dtype: "f32",
              shape,
              data: Float32Array.from(
                { length: count },
                (_, i) => (((Math.imul(i + salt, 0x9e3779b1) >>> 0) % 2048) - 1024) / 1024,
              ),
            },
          ]),
        );
        if (how.packed)
          state.segments = {
            dtype: "i32",
            shape: [batch, seq],
            data: Int32Array.from({ length: batch * seq }, (_, i) => 1 + Math.floor((i % seq) / how.packed)),
          };
        const row = {
          kind: "attention",
          name: `${batch}x${heads}x${seq}x${headDim} ${mask} ${backward ? "forward and backward" : "forward"}`,
          mode,
        };
        try {
          const executable = await backend.compile(built(size, how, backward), { compute });
          const session = await backend.start(state);
          const times = await timeRuns(session, executable, () => ({}), rounds);
          const flops = (backward ? 14 : 4) * pairsOf(seq, how) * headDim * batch * heads;
          rows.push({
            ...row,
            ...times,
            tflops: flops / times.pipelinedMs / 1e9,
            kernels: kernelsOf(executable.plan),
            peakBytes: executable.plan.peakBytes,
            ok: true,
          });
          await session.dispose();
          await executable.dispose();
        } catch (error) {
          rows.push({ ...row, ok: false, failed: String(error.message ?? error) });
        }
        log(rows.at(-1));
      }
  }
  return rows;
}

export const kernelsOf = (plan) => plan.steps.reduce((n, { count }) => n + count, 0);
