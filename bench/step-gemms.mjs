// The matrix products of a program alone: a plain ONNX MatMul [m, k] x [k, n] for each product. With `transposed` they
// are Gemm and FusedMatMul with the transposes of the step. The engine makes these transposes itself, which costs it up
// to 15 %. One element of each result is read, so that the engine cannot omit a product. Operands come from small
// pools, so that no product is computed twice, and caches are at least as warm as in the step.
import { Graph, isOp, lower, order, program, programRoots } from "@cloze/graph";
import { nativeIn } from "@cloze/onnx";

export function productsOf(step, { transposed = false } = {}) {
  const matmuls = order(programRoots(lower(step, { native: nativeIn(step) }))).filter((x) => isOp(x, "matmul"));
  const graph = new Graph();
  const state = {};
  const counts = new Map();
  const inputs = [];
  let sum = graph.const(0, "f32");
  let flop = 0;
  for (const x of matmuls) {
    const [m, n] = x.shape.slice(-2);
    const batch = x.shape.slice(0, -2);
    const [a] = x.args;
    const k = a.shape[a.rank - (x.attrs.transposeA ? 2 : 1)];
    const { transposeA, transposeB } = transposed ? x.attrs : { transposeA: false, transposeB: false };
    const key = [...batch, m, n, k, transposeA, transposeB].join();
    const seen = counts.get(key) ?? 0;
    counts.set(key, seen + 1);
    const operand = (side, shape, at) => {
      const name = `${side} ${key} ${at}`;
      const t = graph.input(name, "f32", shape);
      if (!(name in state)) {
        state[name] = {
          dtype: "f32",
          shape,
          data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i)),
        };
        inputs.push(t);
      }
      return t;
    };
    const left = operand("a", [...batch, ...(transposeA ? [k, m] : [m, k])], seen % 5);
    const right = operand("b", [...batch, ...(transposeB ? [n, k] : [k, n])], Math.floor(seen / 5));
    // The factor keeps the transposes inside the operator.
    const y = (transposeA || transposeB ? left.mul(0.5) : left).matmul(right, { transposeA, transposeB });
    sum = sum.add(graph.node("slice", [y], { start: y.shape.map(() => 0), stop: y.shape.map(() => 1) }).reshape([]));
    flop += 2 * x.shape.reduce((n, d) => n * d, 1) * k;
  }
  return { program: program(graph, { state: inputs, outputs: { sum } }), state, flop, count: matmuls.length };
}
