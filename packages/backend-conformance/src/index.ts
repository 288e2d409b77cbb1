/** testBackend(): the suite that defines a backend, and its cases as data. */
export { allChecks, testBackend, type Suite } from "./test-backend.ts";
export { judge, unknownGaps, type Gap, type Made } from "./judge.ts";
export { inBatches } from "./batch.ts";
export { runOnce, type Check, type Comparison } from "./check.ts";
export { caseNamed, cases } from "./cases.ts";
export { opCases } from "./cases/ops.ts";
export { compositeCases } from "./cases/composites.ts";
export { specialCases } from "./cases/special.ts";
export { buildCase, type BuiltCase, type Direction } from "./run-case.ts";
export { ANY, F32, FLOATS, NUMBERS, type Case, type Draw, type OpClass } from "./case.ts";
export { drawInput } from "./draw.ts";
export { difference, expectClose, tolerances, type Tolerance } from "./tolerance.ts";
export { expected } from "./oracle.ts";
export { randomGraph } from "./random-graph.ts";
export { trainingStep, type EncoderSize, type TrainingStep } from "./tiny-encoder.ts";
