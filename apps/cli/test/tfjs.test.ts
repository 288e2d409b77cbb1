/** Backends of TensorFlow.js under what was proved elsewhere: models' goldens, and a run that changes its backend on the way. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Backend } from "@cloze/backend";
import { Graph, program, type HostTensors, type Tensor } from "@cloze/graph";
import { rootScope, type EncoderInputs, type Scope } from "@cloze/nn";
import { readMetrics } from "@cloze/trainer";
import { describe, expect, it, type TestContext } from "vitest";
import { base, everyState, model as bert, padded as paddedTexts, parameters } from "../../../packages/models/test/bert-golden.ts";
import { floats, golden, logits, padded as paddedProteins, worst, type Encoded } from "../../../packages/models/test/golden.ts";
import { BACKENDS } from "../src/backends.ts";
import { fasta, tinyConfig } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const NAMES = ["tfjs:node", "tfjs:wasm"] as const;

/** The backend; where TensorFlow's native library is not there, the test is skipped and says why. */
async function open(name: (typeof NAMES)[number], context: TestContext): Promise<Backend> {
  const entry = BACKENDS.find((each) => each.name === name), probe = await entry?.probe();
  if (entry === undefined || probe === undefined) throw new Error(`no backend ${name}`);
  if (!probe.available) return context.skip(`${probe.reason} ${probe.remedy}`); // allow skip: TensorFlow's native library is not on every machine
  return entry.open({});
}

interface Rows { readonly batch: number; readonly seq: number; readonly feeds: Readonly<Record<string, readonly number[]>> }

async function computed(backend: Backend, { batch, seq, feeds }: Rows, weights: Readonly<Record<string, Float32Array>>, build: (scope: Scope, inputs: EncoderInputs) => Tensor<"f32">): Promise<ArrayLike<number>> {
  const graph = new Graph(), scope = rootScope(graph), input = (name: string): Tensor<"i32"> => graph.input(name, "i32", [batch, seq]);
  const inputs: EncoderInputs = { ids: input("ids"), segments: input("segments"), positions: input("positions"), ...("types" in feeds && { types: input("types") }) }, out = build(scope, inputs);
  const state: HostTensors = Object.fromEntries([...scope.parameters].map(([name, { shape }]) => [name, { dtype: "f32", shape, data: weights[name] as Float32Array }]));
  const executable = await backend.compile(program(graph, { state: [...scope.parameters.values()].map((p) => p.tensor), feeds: Object.values(inputs), outputs: { out }, updates: {} }));
  const session = await backend.start(state), given = Object.fromEntries(Object.keys(inputs).map((name) => [name, { dtype: "i32" as const, shape: [batch, seq], data: Int32Array.from(feeds[name] as readonly number[]) }]));
  return (await session.run(executable, given))["out"]?.data as ArrayLike<number>;
}

describe.each(NAMES)("%s", (name) => {
  it("gives transformers' logits of ESM-2 and of BERT within 1e-4", async (context) => {
    const backend = await open(name, context), esm = golden("head20"), texts = paddedTexts(base.batch);
    const proteins = await computed(backend, paddedProteins(esm), esm.parameters, (scope, inputs) => logits(esm, scope, inputs)), realProtein = esm.attention_mask.flat();
    expect(worst(proteins, floats(esm.logits), esm.parsed.vocab, (row) => realProtein[row] === 1)).toBeLessThan(1e-4);
    const words = await computed(backend, texts, parameters("masked-lm"), (scope, inputs) => bert.predict(scope, everyState(bert, scope, inputs))), realWord = base.batch.mask.flat();
    expect(worst(words, floats(base.heads["masked-lm"]["logits"] as Encoded), bert.vocab, (row) => realWord[row] === 1)).toBeLessThan(1e-4);
    await backend.dispose();
  });

  it("goes on where ONNX Runtime stopped, and the other way round, to the same losses", async (context) => {
    await (await open(name, context)).dispose();
    const { dir, run, write } = cli();
    write("data.fasta", fasta(120));
    write("tiny.json", JSON.stringify(tinyConfig));
    const settings = ["--model", "tiny.json", "--data", "data.fasta", "--steps", "12", "--batch-tokens", "256", "--max-length", "64", "--lr", "0.005", "--save-every", "6"];
    const losses = (out: string): number[] => readMetrics(join(dir, out, "metrics.jsonl")).rows.filter((row) => row.type === "train").map((row) => row.loss);
    const trained = async (out: string, ...more: string[]): Promise<void> => {
      const { code, err } = await run("pretrain", ...settings, "--out", out, ...more);
      expect(code, err).toBe(0);
    };
    await trained("straight", "--backend", "onnxruntime");
    for (const [first, then] of [["onnxruntime", name], [name, "onnxruntime"]] as const) {
      const out = `${first}-${then}`.replaceAll(":", "-");
      await trained(out, "--backend", first);
      rmSync(join(dir, out, "checkpoints", "step-12"), { recursive: true });
      const { code, err } = await run("pretrain", "--resume", out, "--backend", then);
      expect(code, err).toBe(0);
      const want = losses("straight"), got = losses(out);
      expect(got.length).toBe(12);
      got.forEach((loss, i) => expect(Math.abs(loss - (want[i] as number)), `step ${i + 1}`).toBeLessThan(1e-4));
    }
  });
});
