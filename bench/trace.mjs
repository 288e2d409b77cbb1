// A bench of the time to trace, differentiate and lower a training step. It uses no device and computes no numbers.
//
//   node bench/trace.mjs [--layers 12] [--hidden 768] [--runs 3]
//
// It needs the built packages: npm run setup. It prints one JSON object.
import { parseArgs } from "node:util";
import { Graph, grad, lower, order, program, programRoots } from "@cloze/graph";
import { nativeIn } from "@cloze/onnx";
import { esm2, esm2Configs } from "@cloze/models/esm2";
import { encoderInputs, rootScope } from "@cloze/nn";
import { adamw, clipScale } from "@cloze/optim";

const { values } = parseArgs({
  options: {
    layers: { type: "string", default: "12" },
    hidden: { type: "string", default: "768" },
    runs: { type: "string", default: "3" },
  },
});
const layers = Number(values.layers);
const hidden = Number(values.hidden);
const config = { ...esm2Configs["esm2-8m"], layers, hidden, heads: hidden / 64, intermediate: 4 * hidden };

function once() {
  const times = {};
  const start = performance.now();
  let last = start;
  const lap = (name) => {
    const now = performance.now();
    times[name] = now - last;
    last = now;
  };
  const graph = new Graph();
  const scope = rootScope(graph);
  const model = esm2(config);
  const states = model.encode(scope, encoderInputs(graph, 8, 512));
  const loss = model
    .predict(scope, states.reshape([-1, hidden]))
    .square()
    .sum();
  lap("traceMs");
  const parameters = scope.parameters;
  const made = grad(
    loss,
    [...parameters.values()].map((p) => p.tensor),
  );
  const gradients = new Map([...parameters.keys()].map((name, i) => [name, made[i]]));
  lap("gradMs");
  const { scale, norm } = clipScale(gradients, { maxNorm: 1 });
  const { state, updates } = adamw().update({ graph, parameters, gradients, gradScale: scale });
  const step = program(graph, {
    state: [...[...parameters.values()].map((p) => p.tensor), ...state],
    outputs: { loss, norm },
    updates,
  });
  lap("updateMs");
  const lowered = lower(step, { native: nativeIn(step) });
  lap("lowerMs");
  return {
    ...times,
    totalMs: last - start,
    nodes: order(programRoots(step)).length,
    loweredNodes: order(programRoots(lowered)).length,
  };
}

const runs = Array.from({ length: Number(values.runs) }, once);
// The first run includes the compilation of the JavaScript, as in a program that trains once.
console.log(
  JSON.stringify({
    bench: "trace",
    node: process.version,
    layers,
    hidden,
    first: runs[0],
    best: runs.reduce((a, b) => (b.totalMs < a.totalMs ? b : a)),
  }),
);
