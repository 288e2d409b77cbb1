/** ESM-2's classification heads against transformers: goldens of tooling/golden/esm2.py. */
import { readFileSync } from "node:fs";
import { Graph, interpret, type Tensor } from "@cloze/graph";
import { encoderInputs, rootScope } from "@cloze/nn";
import { esm2, parseEsm2Config } from "@cloze/models/esm2";
import { headParameters, labelsOf } from "@cloze/models/families";
import { describe, expect, it } from "vitest";
import { floats, halves, worst, type Encoded } from "./golden.ts";

type Head = "sequence-classification" | "token-classification";
interface HeadsFile {
  readonly config: Readonly<Record<string, unknown>>;
  readonly ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
  readonly heads: Readonly<
    Record<Head, { readonly weights: Readonly<Record<string, Encoded>>; readonly logits: Encoded }>
  >;
}

const golden = JSON.parse(readFileSync(new URL("golden/esm2-heads.json", import.meta.url), "utf8")) as HeadsFile;
const model = esm2(parseEsm2Config(golden.config));
const labels = labelsOf(golden.config).length;
const [batch, seq] = [golden.ids.length, golden.ids[0]?.length ?? 0];
const isReal = (row: number): boolean => golden.attention_mask.flat()[row] === 1;

describe.each(["sequence-classification", "token-classification"] as const)("%s", (head) => {
  const { weights, logits } = golden.heads[head];

  it("gives the logits of transformers", () => {
    const graph = new Graph();
    const scope = rootScope(graph);
    const states = model.encode(scope, encoderInputs(graph, batch, seq));
    const ours: Tensor =
      head === "token-classification"
        ? model.classifyTokens(scope, states.reshape([-1, model.hidden]), labels)
        : model.classifySequence(scope, states.slice(1, 0, 1).reshape([batch, model.hidden]), labels);
    const parameters = Object.fromEntries(Object.entries(weights).map(([name, value]) => [name, halves(value)]));
    const feeds = {
      ids: golden.ids.flat(),
      segments: golden.attention_mask.flat(),
      positions: golden.ids.flatMap((row) => row.map((_, i) => i)),
    };
    const [value] = interpret([ours], { ...parameters, ...feeds });
    expect(
      worst(value?.data ?? [], floats(logits), labels, head === "token-classification" ? isReal : undefined),
    ).toBeLessThan(1e-4);
  });

  it("has the parameters of its class but those of the contact head", () => {
    const expected = Object.entries(weights)
      .filter(([name]) => !name.startsWith("esm.contact_head."))
      .map(([name, { shape }]) => [name, shape]);
    expect(
      Object.fromEntries([...headParameters(model, head, labels)].map(([name, { shape }]) => [name, shape])),
    ).toEqual(Object.fromEntries(expected));
  });
});
