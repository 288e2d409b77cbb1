/** The speedrun encoder against a plain PyTorch implementation: goldens of tooling/golden/speedrun.py. */
import { readFileSync } from "node:fs";
import { crossEntropy, grad, Graph, interpret, type Tensor, type Value } from "@cloze/graph";
import { encoderInputs, maskedLmParameters, rootScope, type EncoderInputs, type Scope } from "@cloze/nn";
import { parseSpeedrunConfig, speedrun } from "@cloze/models/speedrun";
import { describe, expect, it } from "vitest";
import { floats, halves, worst, type Encoded } from "./golden.ts";

type Named<T> = Readonly<Record<string, T>>;
interface File {
  readonly config: Named<unknown>;
  readonly models: Named<Named<unknown>>;
  readonly weights: Named<Encoded>;
  readonly ids: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
  readonly logits: Named<readonly Encoded[]>;
}
interface Gradients {
  readonly models: Named<{ readonly loss: number; readonly gradients: Named<Encoded> }>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8"));
const file = read("speedrun") as File;
const gradients = (read("speedrun-gradients") as Gradients).models;
type Weights = Named<Float32Array>;
const numbers = (weights: Named<Encoded>): Weights =>
  Object.fromEntries(Object.entries(weights).map(([name, value]) => [name, halves(value)]));

/** A form of the model, its weights, and its results. */
interface Form {
  readonly name: string;
  readonly config: unknown;
  readonly weights: Weights;
  readonly logits: readonly Encoded[];
  readonly golden: Gradients["models"][string];
  /** A sequence that starts at a multiple of `patch` has the same states as alone. */
  readonly patch: number;
}
type PatchFile = Gradients["models"][string] & {
  readonly config: Named<unknown>;
  readonly weights: Named<Encoded>;
  readonly logits: readonly Encoded[];
};

const weights = numbers(file.weights);
const forms: readonly Form[] = [
  ...Object.entries(file.models).map(([name, more]) => ({
    name,
    config: { ...file.config, ...more },
    weights,
    logits: file.logits[name] ?? [],
    golden: gradients[name] as Form["golden"],
    patch: 1,
  })),
  ...["patch", "patch-projected", "patch-bare"].map((name) => {
    const golden = read(`speedrun-${name}`) as PatchFile;
    return {
      name,
      config: golden.config,
      weights: numbers(golden.weights),
      logits: golden.logits,
      golden,
      patch: 2 ** ((golden.config["num_hidden_layers"] as number) / 2 - 1),
    };
  }),
];

const LOGITS = 1e-4;
/** Tolerance of |ours - theirs| / |theirs|, over a parameter; ours in f64. Theirs are stored as f32. */
const GRADIENTS = 1e-5;

interface Rows {
  readonly batch: number;
  readonly seq: number;
  readonly feeds: Named<readonly number[]>;
}

const PAD = 1;

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

/**
 * All sequences in one row, one after another. Padding follows each sequence up to a multiple of `patch`, and follows
 * the last sequence.
 */
function packed(patch: number): Rows & { readonly starts: readonly number[] } {
  const ids: number[] = [];
  const segments: number[] = [];
  const positions: number[] = [];
  const starts: number[] = [];
  const gap = (n: number): number[] => Array.from({ length: n }, () => 0);
  file.ids.forEach((row, r) => {
    const rest = gap((patch - (row.length % patch)) % patch);
    starts.push(ids.length);
    ids.push(...row, ...rest.map(() => PAD));
    segments.push(...row.map(() => r + 1), ...rest);
    positions.push(...row.map((_, i) => i), ...rest);
  });
  const tail = gap(3);
  return {
    batch: 1,
    seq: ids.length + 3,
    starts,
    feeds: {
      ids: [...ids, ...tail.map(() => PAD)],
      segments: [...segments, ...tail],
      positions: [...positions, ...tail],
    },
  };
}

function compute(
  weights: Weights,
  { batch, seq, feeds }: Rows,
  build: (scope: Scope, inputs: EncoderInputs) => readonly Tensor[],
  precision: "native" | "f64",
): Value[] {
  const graph = new Graph();
  return interpret(build(rootScope(graph), encoderInputs(graph, batch, seq)), { ...weights, ...feeds }, { precision });
}

describe.each(forms)("$name", ({ config, weights, logits: theirLogits, golden, patch }) => {
  const model = speedrun(parseSpeedrunConfig(config));
  const { vocab, hidden } = model;
  const alone = theirLogits.map(floats);
  const logits = (scope: Scope, inputs: EncoderInputs): Tensor<"f32"> =>
    model.predict(scope, model.encode(scope, inputs).reshape([-1, hidden]));

  it("declares the parameters that the form has, with their shapes", () => {
    const ours = Object.fromEntries([...maskedLmParameters(model).values()].map((p) => [p.name, p.shape]));
    expect(ours).toEqual(Object.fromEntries(Object.entries(golden.gradients).map(([key, { shape }]) => [key, shape])));
  });

  it.each(["native", "f64"] as const)("gives padded rows the logits of sequences run alone: %s", (precision) => {
    const rows = padded();
    const [ours] = compute(weights, rows, (scope, inputs) => [logits(scope, inputs)], precision);
    const all = Array.from(ours?.data ?? []);
    alone.forEach((theirs, r) =>
      expect(worst(all.slice(r * rows.seq * vocab).slice(0, theirs.length), theirs)).toBeLessThan(LOGITS),
    );
  });

  it("gives each sequence of a packed row the logits it has alone", () => {
    const rows = packed(patch);
    const [ours] = compute(weights, rows, (scope, inputs) => [logits(scope, inputs)], "native");
    const all = Array.from(ours?.data ?? []);
    alone.forEach((theirs, r) =>
      expect(worst(all.slice((rows.starts[r] as number) * vocab).slice(0, theirs.length), theirs)).toBeLessThan(LOGITS),
    );
  });

  it("gives a packed row the same loss and the same gradient of every parameter", () => {
    const rows = packed(patch);
    const names: string[] = [];
    const targets = file.labels.flatMap((row, r) =>
      row.flatMap((label, i) => (label < 0 ? [] : [{ label, at: (rows.starts[r] as number) + i }])),
    );
    const feeds = { ...rows.feeds, at: targets.map((t) => t.at), labels: targets.map((t) => t.label) };
    const [loss, ...found] = compute(
      weights,
      { ...rows, feeds },
      (scope, inputs) => {
        const { graph } = scope;
        const n = [targets.length];
        const states = model
          .encode(scope, inputs)
          .reshape([-1, hidden])
          .gather(graph.input("at", "i32", n));
        const mean = crossEntropy(model.predict(scope, states), graph.input("labels", "i32", n)).mean();
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
    expect(Math.abs((loss?.data[0] ?? NaN) - golden.loss)).toBeLessThan(1e-6);
    expect([...names].sort()).toEqual(Object.keys(golden.gradients).sort());
    const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
    names.forEach((parameter, i) => {
      const ours = found[i]?.data ?? [];
      const theirs = floats(golden.gradients[parameter] as Encoded);
      expect(ours.length, parameter).toBe(theirs.length);
      expect(norm(theirs.map((v, k) => v - (ours[k] as number))) / norm(theirs), parameter).toBeLessThan(GRADIENTS);
    });
  });
});

it("the forms are different models", () => {
  const first = (name: string): Float32Array => floats((file.logits[name] ?? [])[0] as Encoded);
  const plain = first("default");
  for (const name of Object.keys(file.models).slice(1))
    expect(worst(first(name), plain), name).toBeGreaterThan(10 * LOGITS);
});

it("shows hidden states, and the attention maps that it computes with", () => {
  const rows = padded();
  const config = parseSpeedrunConfig({ ...file.config, attention_softcap: 1.5 });
  const model = speedrun(config);
  const values = compute(
    weights,
    rows,
    (scope, inputs) => {
      const { last, hiddenStates, attentions } = model.outputs(scope, inputs);
      expect([hiddenStates.length, attentions.length, hiddenStates.at(-1) === last]).toEqual([
        config.layers + 1,
        config.layers,
        true,
      ]);
      return [model.encode(scope, inputs), last, attentions[1] as Tensor];
    },
    "native",
  );
  expect(worst(values[0]?.data ?? [], values[1]?.data ?? [])).toBe(0);
  const map = Array.from(values[2]?.data ?? []);
  const rowSums = Array.from({ length: map.length / rows.seq }, (_, i) =>
    map.slice(i * rows.seq, (i + 1) * rows.seq).reduce((sum, v) => sum + v, 0),
  );
  rowSums.forEach((sum) => expect(sum).toBeCloseTo(1, 5));
});
