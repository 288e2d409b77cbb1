/** AMPLIFY and NeoBERT against a plain PyTorch implementation: goldens of tooling/golden/gated-rms.py. */
import { readFileSync } from "node:fs";
import { crossEntropy, grad, Graph, interpret, type Tensor, type Value } from "@cloze/graph";
import { encoderInputs, maskedLmParameters, rootScope, type EncoderInputs, type Scope } from "@cloze/nn";
import { amplify, parseAmplifyConfig } from "@cloze/models/amplify";
import { headParameters } from "@cloze/models/families";
import { neoBert, parseNeoBertConfig, type GatedRms } from "@cloze/models/neobert";
import { describe, expect, it } from "vitest";
import { floats, halves, worst, type Encoded } from "./golden.ts";

type Named<T> = Readonly<Record<string, T>>;
interface ModelFile {
  readonly config: Named<unknown>;
  readonly weights: Named<Encoded>;
  readonly logits: readonly Encoded[];
  /** Logits of the classifiers, for every token. */
  readonly classes: readonly Encoded[];
}
interface File {
  readonly ids: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
  readonly models: Named<ModelFile>;
}
interface Gradients {
  readonly models: Named<{ readonly loss: number; readonly gradients: Named<Encoded> }>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8"));
const file = read("gated-rms") as File;
const gradients = (read("gated-rms-gradients") as Gradients).models;

const LOGITS = 1e-4;
/** Tolerance of |ours - theirs| / |theirs|, over a parameter; ours in f64. Theirs are stored as f32. */
const GRADIENTS = 1e-5;
const LABELS = 3;
const PAD = 0;

interface Rows {
  readonly batch: number;
  readonly seq: number;
  readonly feeds: Named<readonly number[]>;
}

/** Each row is one sequence and its padding. */
function padded(): Rows {
  const seq = Math.max(...file.ids.map((row) => row.length));
  const fill = (row: readonly number[], value: number): number[] =>
    Array.from({ length: seq }, (_, i) => row[i] ?? value);
  return {
    batch: file.ids.length,
    seq,
    feeds: {
      ids: file.ids.flatMap((row) => fill(row, PAD)),
      segments: file.ids.flatMap((row) =>
        fill(
          row.map(() => 1),
          0,
        ),
      ),
      positions: file.ids.flatMap((row) =>
        fill(
          row.map((_, i) => i),
          0,
        ),
      ),
    },
  };
}

/** All sequences in one row, one after another, and some padding. */
function packed(): Rows {
  const tail = [0, 0, 0];
  const ids = [...file.ids.flat(), ...tail.map(() => PAD)];
  const segments = [...file.ids.flatMap((row, r) => row.map(() => r + 1)), ...tail];
  const positions = [...file.ids.flatMap((row) => row.map((_, i) => i)), ...tail];
  return { batch: 1, seq: ids.length, feeds: { ids, segments, positions } };
}

describe.each(Object.keys(file.models))("%s", (name) => {
  const golden = file.models[name] as ModelFile;
  const { config } = golden;
  const expected = gradients[name] as Gradients["models"][string];
  const model: GatedRms =
    config["model_type"] === "AMPLIFY" ? amplify(parseAmplifyConfig(config)) : neoBert(parseNeoBertConfig(config));
  const { hidden } = model;
  const weights = Object.fromEntries(Object.entries(golden.weights).map(([key, value]) => [key, halves(value)]));
  const states = (scope: Scope, inputs: EncoderInputs): Tensor<"f32"> =>
    model.encode(scope, inputs).reshape([-1, hidden]);
  const compute = (
    { batch, seq, feeds }: Rows,
    build: (scope: Scope, inputs: EncoderInputs) => readonly Tensor[],
    precision: "native" | "f64",
  ): Value[] => {
    const graph = new Graph();
    return interpret(
      build(rootScope(graph), encoderInputs(graph, batch, seq)),
      { ...weights, ...feeds },
      { precision },
    );
  };

  it("declares the tensors of its checkpoint, with their shapes", () => {
    const shapes = (parameters: ReadonlyMap<string, { readonly shape: readonly number[] }>): unknown =>
      Object.fromEntries([...parameters].map(([key, { shape }]) => [key, shape]));
    const theirs = Object.entries(golden.weights).map(([key, { shape }]) => [key, shape] as const);
    const isHead = (key: string): boolean => /^(dense|classifier)\./.test(key);
    expect(shapes(maskedLmParameters(model))).toEqual(Object.fromEntries(theirs.filter(([key]) => !isHead(key))));
    expect(shapes(headParameters(model, "sequence-classification", LABELS))).toEqual(
      Object.fromEntries(theirs.filter(([key]) => !key.startsWith("decoder."))),
    );
  });

  it.each(["native", "f64"] as const)("gives padded rows the logits of sequences run alone: %s", (precision) => {
    const rows = padded();
    const ours = compute(
      rows,
      (scope, inputs) => {
        const all = states(scope, inputs);
        return [model.predict(scope, all), model.classifyTokens(scope, all, LABELS)];
      },
      precision,
    );
    for (const [i, [theirs, width]] of (
      [
        [golden.logits, model.vocab],
        [golden.classes, LABELS],
      ] as const
    ).entries()) {
      const all = Array.from(ours[i]?.data ?? []);
      theirs.forEach((encoded, r) => {
        const alone = floats(encoded);
        expect(worst(all.slice(r * rows.seq * width).slice(0, alone.length), alone)).toBeLessThan(LOGITS);
      });
    }
  });

  it("classifies a sequence by its first token", () => {
    const { batch, ...rows } = padded();
    const [ours] = compute(
      { batch, ...rows },
      (scope, inputs) => [
        model.classifySequence(scope, model.encode(scope, inputs).slice(1, 0, 1).reshape([batch, hidden]), LABELS),
      ],
      "native",
    );
    golden.classes.forEach((theirs, r) =>
      expect(
        worst(Array.from(ours?.data ?? []).slice(r * LABELS, (r + 1) * LABELS), floats(theirs).slice(0, LABELS)),
      ).toBeLessThan(LOGITS),
    );
  });

  it("gives each sequence of a packed row the logits it has alone", () => {
    const [ours] = compute(packed(), (scope, inputs) => [model.predict(scope, states(scope, inputs))], "native");
    const all = Array.from(ours?.data ?? []);
    let at = 0;
    for (const encoded of golden.logits) {
      const theirs = floats(encoded);
      expect(worst(all.slice(at, at + theirs.length), theirs)).toBeLessThan(LOGITS);
      at += theirs.length;
    }
  });

  it("gives a packed row the same loss and the same gradient of every parameter", () => {
    const targets = file.labels.flat().flatMap((label, at) => (label < 0 ? [] : [{ label, at }]));
    const rows = packed();
    const names: string[] = [];
    const feeds = { ...rows.feeds, at: targets.map((t) => t.at), labels: targets.map((t) => t.label) };
    const [loss, ...found] = compute(
      { ...rows, feeds },
      (scope, inputs) => {
        const { graph } = scope;
        const n = [targets.length];
        const picked = states(scope, inputs).gather(graph.input("at", "i32", n));
        const mean = crossEntropy(model.predict(scope, picked), graph.input("labels", "i32", n)).mean();
        const parameters = [...scope.parameters.values()];
        names.push(...parameters.map((p) => p.name));
        return [
          mean,
          ...grad(
            mean,
            parameters.map((p): Tensor => p.tensor),
          ),
        ];
      },
      "f64",
    );
    expect(Math.abs((loss?.data[0] ?? NaN) - expected.loss)).toBeLessThan(1e-6);
    expect([...names].sort()).toEqual(Object.keys(expected.gradients).sort());
    const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
    names.forEach((parameter, i) => {
      const ours = found[i]?.data ?? [];
      const theirs = floats(expected.gradients[parameter] as Encoded);
      expect(ours.length, parameter).toBe(theirs.length);
      // Softmax does not change when all keys grow by the same vector.
      if (norm(theirs) < 1e-9) expect(norm(ours), parameter).toBeLessThan(1e-9);
      else
        expect(norm(theirs.map((v, k) => v - (ours[k] as number))) / norm(theirs), parameter).toBeLessThan(GRADIENTS);
    });
  });

  it("shows hidden states, and the attention maps that it computes with", () => {
    const rows = padded();
    const values = compute(
      rows,
      (scope, inputs) => {
        const { last, hiddenStates, attentions } = model.outputs(scope, inputs);
        expect([hiddenStates.length, attentions.length, hiddenStates.at(-1) === last]).toEqual([3, 2, true]);
        return [model.encode(scope, inputs), last, attentions[1] as Tensor];
      },
      "native",
    );
    expect(worst(values[0]?.data ?? [], values[1]?.data ?? [])).toBe(0);
    const map = Array.from(values[2]?.data ?? []);
    for (let i = 0; i < map.length; i += rows.seq)
      expect(map.slice(i, i + rows.seq).reduce((sum, v) => sum + v, 0)).toBeCloseTo(1, 5);
  });
});
