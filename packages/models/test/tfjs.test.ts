/** ESM-2 and BERT on TensorFlow.js: the goldens of the interpreter's tests, computed by another engine. */
import { backend as open, probe } from "@cloze/backend-tfjs";
import { Graph, program, type HostTensors, type Tensor } from "@cloze/graph";
import { rootScope, type EncoderInputs, type Scope } from "@cloze/nn";
import { describe, expect, it } from "vitest";
import { base, everyState, model as bert, padded as paddedTexts, parameters } from "./bert-golden.ts";
import { floats, golden, logits, padded as paddedProteins, worst, type Encoded } from "./golden.ts";

interface Rows {
  readonly batch: number;
  readonly seq: number;
  readonly feeds: Readonly<Record<string, readonly number[]>>;
}

async function computed(
  backend: Awaited<ReturnType<typeof open>>,
  { batch, seq, feeds }: Rows,
  weights: Readonly<Record<string, Float32Array>>,
  build: (scope: Scope, inputs: EncoderInputs) => Tensor<"f32">,
): Promise<ArrayLike<number>> {
  const graph = new Graph();
  const scope = rootScope(graph);
  const input = (name: string): Tensor<"i32"> => graph.input(name, "i32", [batch, seq]);
  const inputs: EncoderInputs = {
    ids: input("ids"),
    segments: input("segments"),
    positions: input("positions"),
    ...("types" in feeds && { types: input("types") }),
  };
  const out = build(scope, inputs);
  const state: HostTensors = Object.fromEntries(
    [...scope.parameters].map(([name, { shape }]) => [
      name,
      { dtype: "f32", shape, data: weights[name] as Float32Array },
    ]),
  );
  const executable = await backend.compile(
    program(graph, {
      state: [...scope.parameters.values()].map((p) => p.tensor),
      feeds: Object.values(inputs),
      outputs: { out },
      updates: {},
    }),
  );
  const session = await backend.start(state);
  const given = Object.fromEntries(
    Object.keys(inputs).map((name) => [
      name,
      { dtype: "i32" as const, shape: [batch, seq], data: Int32Array.from(feeds[name] as readonly number[]) },
    ]),
  );
  return (await session.run(executable, given))["out"]?.data as ArrayLike<number>;
}

describe.each(["node", "wasm"] as const)("tfjs:%s", (kind) => {
  it("gives transformers' logits of ESM-2 and of BERT within 1e-4", async (context) => {
    const found = await probe(kind);
    // allow skip: TensorFlow's native library is not on every machine
    if (!found.available) return context.skip(`${found.reason} ${found.remedy}`);
    const backend = await open({ kind });
    const esm = golden("head20");
    const texts = paddedTexts(base.batch);
    const proteins = await computed(backend, paddedProteins(esm), esm.parameters, (scope, inputs) =>
      logits(esm, scope, inputs),
    );
    const realProtein = esm.attention_mask.flat();
    expect(worst(proteins, floats(esm.logits), esm.parsed.vocab, (row) => realProtein[row] === 1)).toBeLessThan(1e-4);
    const words = await computed(backend, texts, parameters("masked-lm"), (scope, inputs) =>
      bert.predict(scope, everyState(bert, scope, inputs)),
    );
    const realWord = base.batch.mask.flat();
    expect(
      worst(words, floats(base.heads["masked-lm"]["logits"] as Encoded), bert.vocab, (row) => realWord[row] === 1),
    ).toBeLessThan(1e-4);
    await backend.dispose();
  });
});
