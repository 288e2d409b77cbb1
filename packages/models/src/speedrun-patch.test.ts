import { Graph, grad, interpret, lower, order, program, programRoots, type Tensor } from "@cloze/graph";
import { countParameters, encoderInputs, initialize, maskedLmParameters, rootScope } from "@cloze/nn";
import { describe, expect, it } from "vitest";
import { openModel } from "./families.ts";
import { patchIntermediate, speedrunPatch } from "./speedrun-patch.ts";
import {
  parseSpeedrunConfig,
  speedrun,
  speedrunConfigs,
  speedrunFlopsPerToken,
  speedrunPatchWidths,
  type SpeedrunConfig,
} from "./speedrun.ts";

const published: SpeedrunConfig = {
  ...speedrunConfigs["speedrun-133m"],
  patchUnet: true,
  layers: 12,
  heads: 12,
  extraLayers: 4,
  headDense: true,
};
const tiny: SpeedrunConfig = {
  ...published,
  hidden: 8,
  layers: 6,
  heads: 2,
  intermediate: 12,
  extraLayers: 1,
  patchWidthMultiple: 4,
  vocab: 33,
};
const count = (config: SpeedrunConfig): number => countParameters(maskedLmParameters(speedrun(config)));

describe("sizes", () => {
  it("grow from once to twice the hidden size, by common multiples of 64 and the heads, up to 128 for each head", () => {
    expect(speedrunPatchWidths(published)).toEqual([768, 960, 1152, 1344, 1536, 1536]);
    expect(speedrunPatchWidths({ ...published, heads: 6 })).toEqual([768, 768, 768, 768, 768, 768]);
    expect(speedrunPatchWidths({ ...published, hidden: 512, heads: 8, layers: 6 })).toEqual([512, 768, 1024]);
    expect([speedrunPatch(published), speedrunPatch(speedrunConfigs["speedrun-133m"])]).toEqual([32, 1]);
  });

  it("are counted by formula", () => {
    const h = 768;
    const widths = [768, 960, 1152, 1344, 1536, 1536];
    const up = (w: number): number => Math.ceil(Math.floor((2048 / 768) * w) / 256) * 256;
    const layer = (w: number): number => 4 * w ** 2 + 2 * w * up(w);
    const twice = (f: (w: number, i: number) => number): number => 2 * widths.map(f).reduce((a, b) => a + b);
    // Two weights for x0, two for values, a matrix for x0 where it is wider, and a table of values.
    const layers = twice((w) => layer(w) + 4 + (w === h ? 0 : w * h) + 33 * w);
    const steps = widths
      .slice(1)
      .map((w, i) => 2 * w * 2 * (widths[i] as number))
      .reduce((a, b) => a + b);
    expect(widths.map((w) => patchIntermediate(published, w))).toEqual(widths.map(up));
    expect(count(published)).toBe(33 * h + layers + steps + 6 + 4 * layer(h) + (h * h + 33 * h + 33));
  });
});

const rows = { one: [0, 5, 6, 7, 8, 2], two: [0, 9, 10, 11, 2], three: [0, 12, 13, 2] };

/** Hidden states `[seq, 8]` of a row of sequences. Each sequence begins at its place in `starts`. */
function states(
  config: SpeedrunConfig,
  sequences: readonly (readonly number[])[],
  starts: readonly number[],
  seq: number,
): number[] {
  const ids = Array.from({ length: seq }, () => 1);
  const segments = ids.map(() => 0);
  const positions = ids.map(() => 0);
  sequences.forEach((sequence, s) =>
    sequence.forEach((id, i) =>
      [ids, segments, positions].forEach((list, k) => {
        list[(starts[s] as number) + i] = [id, s + 1, i][k] as number;
      }),
    ),
  );
  const graph = new Graph();
  const scope = rootScope(graph);
  const y = speedrun(config).encode(scope, encoderInputs(graph, 1, seq));
  const wide = new Map(
    [...scope.parameters].map(([name, { shape }]) => [name, { shape, init: { kind: "normal", std: 0.5 } as const }]),
  );
  const parameters = Object.fromEntries(
    Object.entries(initialize(wide, 1)).map(([name, { data }]) => [name, Array.from(data)]),
  );
  return Array.from(interpret([y], { ...parameters, ids, segments, positions }, { precision: "f64" })[0]?.data ?? []);
}
const part = (all: readonly number[], start: number, length: number): number[] =>
  all.slice(start * tiny.hidden, (start + length) * tiny.hidden);
const distance = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number))));

describe("packed rows", () => {
  it("give a sequence that starts at a multiple of the patch the states it has alone, in rows of any length", () => {
    const packed = states(tiny, [rows.one, rows.two, rows.three], [0, 8, 16], 21);
    for (const [sequence, start] of [
      [rows.one, 0],
      [rows.two, 8],
      [rows.three, 16],
    ] as const) {
      for (const seq of [sequence.length, sequence.length + 3, 16])
        expect(
          distance(part(packed, start, sequence.length), part(states(tiny, [sequence], [0], seq), 0, sequence.length)),
        ).toBeLessThan(1e-12);
    }
  });

  it.each([
    [0, 6, 11],
    [1, 7, 12],
    [3, 9, 14],
  ])("never let a sequence feel another, wherever they stand: at %d, %d and %d", (...starts) => {
    const seq = 18;
    const plain = states(tiny, [rows.one, rows.two, rows.three], starts, seq);
    const all = [rows.one, rows.two, rows.three];
    expect(plain.every(Number.isFinite)).toBe(true);
    all.forEach((sequence, changed) => {
      const other = states(
        tiny,
        all.map((one, s) => (s === changed ? one.map((id) => (id > 2 ? id + 10 : id)) : one)),
        starts,
        seq,
      );
      all.forEach((one, s) => {
        const moved = distance(
          part(plain, starts[s] as number, one.length),
          part(other, starts[s] as number, one.length),
        );
        if (s === changed) expect(moved).toBeGreaterThan(1e-3);
        else expect(moved).toBe(0);
      });
      expect(sequence.length).toBeGreaterThan(3);
    });
  });

  it("count pairs from the start of the row: elsewhere a sequence is another one", () => {
    expect(
      distance(part(states(tiny, [rows.one], [1], 8), 1, 6), part(states(tiny, [rows.one], [0], 8), 0, 6)),
    ).toBeGreaterThan(1e-3);
  });
});

describe("the model", () => {
  it("starts from a loss of ln(vocabulary) and passes x0 through", () => {
    const graph = new Graph();
    const scope = rootScope(graph);
    const model = speedrun(tiny);
    const inputs = encoderInputs(graph, 1, 6);
    const logits = model.predict(scope, model.encode(scope, inputs).reshape([6, tiny.hidden]));
    const first = Object.fromEntries(
      Object.entries(initialize(scope.parameters, 1)).map(([name, { data }]) => [name, data]),
    );
    const [value] = interpret([logits], {
      ...first,
      ids: rows.one,
      segments: rows.one.map(() => 1),
      positions: rows.one.map((_, i) => i),
    });
    expect(Array.from(value?.data ?? [1]).every((v) => v === 0)).toBe(true);
  });

  it("traces, differentiates and lowers at its published size", () => {
    const graph = new Graph();
    const scope = rootScope(graph);
    const y = speedrun(published)
      .encode(scope, encoderInputs(graph, 1, 1024))
      .square()
      .mean();
    const parameters = [...scope.parameters.values()].map((p) => p.tensor);
    const updates = Object.fromEntries(
      grad(y, parameters).map((g, i) => [[...scope.parameters.keys()][i] as string, g as Tensor]),
    );
    const lowered = lower(program(graph, { state: parameters, outputs: { y }, updates }), {});
    expect(order(programRoots(lowered)).filter(({ op }) => op === "matmul").length).toBeGreaterThan(16 * 18);
  });

  it("shows nothing of its inside, where no two layers are of one shape", async () => {
    const graph = new Graph();
    const inputs = encoderInputs(graph, 1, 6);
    expect(() => speedrun(tiny).outputs(rootScope(graph), inputs)).toThrow(
      "speedrun, outputs: expected a form whose layers all have one resolution, got patch_unet. Use encode",
    );
    const { model, configText } = await openModel({
      model_type: "cloze_speedrun",
      vocab_size: 33,
      pad_token_id: 1,
      mask_token_id: 32,
      patch_unet: true,
      num_hidden_layers: 4,
      num_extra_layers: 1,
    });
    expect(model.outputs).toBe(undefined);
    expect(JSON.parse(configText())).toMatchObject({ patch_unet: true, num_extra_layers: 1, patch_width_multiple: 64 });
  });

  it.each([
    [{ unet: false }, "unet with patch_unet, whose halves are joined by skips, got unet false"],
    [{ num_extra_layers: -1 }, "extraLayers to be a whole number from 0, got -1"],
    [{ patch_unet: false, num_extra_layers: 1 }, "no extraLayers without patch_unet, got 1"],
    [{ patch_width_multiple: 0 }, "patchWidthMultiple to be a whole number above 0, got 0"],
    [
      { max_position_embeddings: 32 },
      "at most 10 layers in a patch U-net for 32 positions, which are halved 5 times (the original's layers for " +
        "a single patch are not built), got 12",
    ],
    [
      { hidden_size: 12, num_attention_heads: 6, patch_width_multiple: 9 },
      "even head dimensions in a patch U-net; its widths are 18, 18, 18, 36, 36, 36, got 18 / heads 6 = 3",
    ],
  ])("refuses %o", (more, message) => {
    expect(() =>
      parseSpeedrunConfig({
        model_type: "cloze_speedrun",
        vocab_size: 33,
        pad_token_id: 1,
        mask_token_id: 32,
        patch_unet: true,
        num_hidden_layers: 12,
        ...more,
      }),
    ).toThrow(message);
  });
});

it("costs less than two thirds of as many layers at full resolution", () => {
  const flat = { ...published, patchUnet: false, extraLayers: 0, layers: 16 };
  expect((speedrunFlopsPerToken(published, 1024) / speedrunFlopsPerToken(flat, 1024)).toFixed(2)).toBe("0.64");
});
