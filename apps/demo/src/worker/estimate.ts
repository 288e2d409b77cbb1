/**
 * The estimate of a run's memory and time before its start. Memory is the peak of live bytes in a step without fusion,
 * which is more than a backend needs. Time comes from the measured rate of a matrix product.
 */
import type { Backend } from "@cloze/backend";
import { Graph, peakLiveBytes, program, type HostTensor } from "@cloze/graph";
import { flopsPerToken } from "@cloze/models/esm2";
import { feedTypes } from "@cloze/objective";
import { stepProgram, type TrainSetup } from "@cloze/trainer/step";
import type { Estimate, Settings } from "../protocol.ts";
import { rowsOf, type OpenedData } from "./data.ts";
import { modelOf, newConfig, objectiveOf, optimizerOf } from "./model.ts";

/** Share of the rate of one large matrix product that a step reaches, about. */
const SHARE_OF_PRODUCT = 0.35;

export async function estimateRun(settings: Settings, data: OpenedData, flopsPerSecond: number): Promise<Estimate> {
  const objective = await objectiveOf(settings, data.tokenizer);
  const config = await newConfig(settings.side, settings.size);
  const { source, parameters } = await modelOf(config, settings.size, objective, data.tokenizer);
  const batch = await rowsOf(data, settings, objective).train.batchAt(0);
  const types = feedTypes(objective.prepare(batch, { seed: settings.seed, step: 0, evaluation: false }));
  const setup: TrainSetup = { source, objective, optimizer: optimizerOf(settings), clip: 1 };
  const memoryBytes = peakLiveBytes(stepProgram(setup, types));
  const sizes = sizesOf(config, data.tokenizer.vocabulary.length);
  const flops = flopsPerToken(sizes, settings.length) * settings.length * settings.rows * settings.steps;
  return {
    parameters: [...parameters.values()].reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0),
    memoryBytes,
    seconds: flops / (flopsPerSecond * SHARE_OF_PRODUCT),
  };
}

function sizesOf(config: unknown, vocab: number): Parameters<typeof flopsPerToken>[0] {
  const json = config as Readonly<Record<string, number>>;
  const size = (key: string): number => json[key] ?? 0;
  return {
    vocab,
    hidden: size("hidden_size"),
    layers: size("num_hidden_layers"),
    intermediate: size("intermediate_size"),
  };
}

/**
 * Measures the rate of a matrix product: multiplications and additions per second. Where the first product takes less
 * than 10 ms, it measures a larger one.
 */
export async function measureRate(backend: Backend): Promise<number> {
  const small = await productRate(backend, 256);
  return small.seconds < 0.01 ? (await productRate(backend, 1024)).rate : small.rate;
}

async function productRate(backend: Backend, n: number): Promise<{ readonly rate: number; readonly seconds: number }> {
  const graph = new Graph();
  const a = graph.input("a", "f32", [n, n]);
  const b = graph.input("b", "f32", [n, n]);
  const made = program(graph, { state: [a, b], outputs: { sum: a.matmul(b).sum() }, feeds: [] });
  const ones = (): HostTensor => ({ dtype: "f32", shape: [n, n], data: new Float32Array(n * n).fill(1) });
  const executable = await backend.compile(made);
  const session = await backend.start({ a: ones(), b: ones() });
  await session.run(executable, {});
  const began = performance.now();
  await session.run(executable, {});
  const seconds = Math.max(1e-6, (performance.now() - began) / 1000);
  await session.dispose();
  await executable.dispose();
  return { rate: (2 * n ** 3) / seconds, seconds };
}
