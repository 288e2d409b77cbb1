/**
 * The patch U-net of the speedrun encoder. Each layer of its first half works on half as many places as the layer
 * before; each layer of its second half works on twice as many.
 *
 *   x0 ─ layer 0 ─ merge ─ … ─ layer n/2-1 ─ layer n/2 ─ expand ─ … ─ layer n-1 ─ extra layers ─ norm ─ hidden
 *          └───────── weighted skips: from layer i to layer n-1-i, at the same resolution ────┘
 *
 *   merge    [x_2p, x_2p+1] W: one patch for two neighbours        expand   x W: its halves are the two neighbours
 *   x0, values   the mean over the tokens of a patch; x0 through a matrix where a layer is wider;
 *                a table of values for each layer
 *   widths   from hidden to twice hidden (`speedrunPatchWidths`)       window   counts patches, as published
 *
 * Pairs count from the start of a row, as published, where a row is one sequence. Here a row may hold several
 * sequences. A pair that spans two sequences is a patch of the later sequence alone: the other sequence's token gives
 * nothing and takes nothing. So no sequence feels another one, wherever it stands. A sequence has the same states as
 * alone if it starts at a multiple of 2^(n/2 - 1), the `patch`; in rows of one sequence this is always so. At other
 * starts its pairs are different pairs. A missing token of the last pair counts as zero, and a mean leaves it out; the
 * original takes padding in there. Here rows are padded to a multiple of the patch; their length need not be a power of
 * 2.
 *
 * The original's layers for a single patch, its MLP-only bottleneck, are not built: a row has at least two patches.
 *
 * Source: Synthyra/SpeedrunningPLMs, its patch U-Net of February 2026. Checked against a plain PyTorch implementation,
 * tooling/golden/speedrun.py: logits, and every gradient in f64.
 */
import type { Tensor } from "@cloze/graph";
import { linear, type EncoderInputs, type Scope } from "@cloze/nn";
import { flopsPerToken, type FlopsOptions } from "./flops.ts";
import { speedrunIntermediate, speedrunPatchWidths, type SpeedrunConfig } from "./speedrun-config.ts";
import { at, embeddings, layer, matrix, norm, valueEmbedding, widened, type Places } from "./speedrun-layer.ts";

/**
 * Number of tokens in a patch at the coarsest resolution. A sequence that starts at a multiple of it has the same
 * states as alone.
 */
export const speedrunPatch = ({ patchUnet, layers }: SpeedrunConfig): number => (patchUnet ? 2 ** (layers / 2 - 1) : 1);

/**
 * Width of the feed-forward block of a layer of width `width`: in the ratio of the configuration, rounded up to a
 * multiple of 4 `patchWidthMultiple`.
 */
export function patchIntermediate({ hidden, intermediate, patchWidthMultiple }: SpeedrunConfig, width: number): number {
  return width === hidden ? intermediate : speedrunIntermediate(width, intermediate / hidden, 4 * patchWidthMultiple);
}

/**
 * Floating-point operations of the patch U-net, its extra layers and its head for one token, as in
 * `speedrunFlopsPerToken`. A row counts with its padding.
 */
export function patchFlopsPerToken(
  config: SpeedrunConfig,
  seq: number,
  { predicted = 0.15, training = true }: FlopsOptions = {},
): number {
  const { hidden, extraLayers, window, differentialAttention: differential } = config;
  const patch = speedrunPatch(config);
  const row = Math.ceil(seq / patch) * patch;
  const widths = speedrunPatchWidths(config);
  const layers = (count: number, width: number, length: number, share: number): number =>
    flopsPerToken(
      {
        ...config,
        hidden: width,
        intermediate: patchIntermediate(config, width),
        layers: count,
        differential,
        windows: Array.from({ length: count }, () => window || undefined),
      },
      length,
      { predicted: share, training: false },
    );
  const between = (from: number, to: number): number => (from === to ? 0 : 2 * from * to);
  const inside = widths.reduce((sum, width, level) => {
    const finer = widths[level - 1];
    const steps = finer === undefined ? 2 * between(hidden, width) : 2 * 4 * finer * width;
    return sum + (layers(2, width, row / 2 ** level, 0) + 2 * between(hidden, width) + steps) / 2 ** level;
  }, 0);
  const forward = (inside * row) / seq + layers(extraLayers, hidden, seq, predicted);
  return training ? 3 * forward : forward;
}

/** One resolution, and how its pairs of places go on to the next resolution. */
interface Resolution extends Places {
  /** f32 `[batch, places]`: 1 where a place belongs to the same sequence as its patch, else 0. */
  readonly kept: Tensor<"f32">;
}

/**
 * Parameters: the parameters of the embeddings and layers, skip_weights `[layers / 2]`, merges.i.weight
 * `[width_i+1, 2 width_i]`, expansions.i.weight `[2 width_i, width_i+1]`, and input.weight `[width_0, hidden]` and
 * output.weight `[hidden, width_0]` where width_0 differs from hidden. Shapes: ids `[batch, seq]` ->
 * `[batch, seq, hidden]`.
 */
export function patchEncoder(scope: Scope, config: SpeedrunConfig, inputs: EncoderInputs): Tensor<"f32"> {
  const { layers, extraLayers, hidden, intermediate } = config;
  const half = layers / 2;
  const seq = inputs.ids.shape[1] as number;
  const at0 = scope.at("embeddings", { depth: 0 });
  const whole = padded(config, inputs);
  const x0 = embeddings(at0, config, whole);
  const widths = speedrunPatchWidths(config);
  const resolutions = scope.within(() => resolutionsOf(whole, half));
  const skipWeights = scope.param("skip_weights", [half], { init: { kind: "ones" } });
  const states: Tensor<"f32">[] = [];
  const pooled = (x: Tensor<"f32">, level: number): Tensor<"f32"> =>
    scope.within(() => resolutions.slice(0, level).reduce(meanOfPairs, x));
  const x0s = widths.map((_, level) => pooled(x0, level));
  const state = (i: number): Tensor<"f32"> => states[i] as Tensor<"f32">;
  for (let i = 0; i < layers; i++) {
    const mirror = layers - 1 - i;
    const level = Math.min(i, mirror);
    const width = widths[level] as number;
    const block = scope.at("layers").at(i, { depth: i + 1 });
    const values = valueEmbedding(at0, config, whole, i, width);
    const before =
      i === 0
        ? widened(scope.at("input"), x0, width)
        : i < half
          ? merge(scope.at("merges").at(level - 1), state(i - 1), resolutions[level - 1] as Resolution, width)
          : i === half
            ? state(i - 1)
            : expand(scope.at("expansions").at(level), state(i - 1), resolutions[level] as Resolution, width);
    const x = block.within(() => (i < half ? before : before.add(state(mirror).mul(at(skipWeights, i - half)))));
    const { states: y } = layer(block, config, resolutions[level] as Resolution, x, {
      depth: i,
      intermediate: patchIntermediate(config, width),
      x0: x0s[level] as Tensor<"f32">,
      values: values && pooled(values, level),
    });
    states.push(y);
  }
  let x = widened(scope.at("output"), state(layers - 1), hidden).slice(1, 0, seq);
  for (let i = layers; i < layers + extraLayers; i++)
    x = layer(scope.at("layers").at(i, { depth: i + 1 }), config, inputs, x, { depth: i, intermediate }).states;
  return scope.within(() => norm(x, config));
}

/** The same rows with padding at the end, long enough to merge down to the coarsest resolution. */
function padded(config: SpeedrunConfig, { ids, segments, positions }: EncoderInputs): EncoderInputs {
  const patch = speedrunPatch(config);
  const missing = (patch - ((ids.shape[1] as number) % patch)) % patch;
  const longer = (x: Tensor<"i32">, value: number): Tensor<"i32"> =>
    missing === 0 ? x : x.pad([0, 0], [0, missing], value);
  return { ids: longer(ids, config.padTokenId), segments: longer(segments, 0), positions: longer(positions, 0) };
}

/**
 * `count` resolutions, each with half as many places as the resolution before. A patch belongs to the later of its two
 * sequences; a patch of a sequence's end and padding belongs to the sequence.
 */
function resolutionsOf({ segments, positions }: Places, count: number): readonly Resolution[] {
  const out: Resolution[] = [];
  for (let places = { segments, positions }, i = 0; i < count; i++) {
    const pair = (x: Tensor<"i32">): [Tensor<"i32">, Tensor<"i32">] => {
      const [batch, n] = x.shape as [number, number];
      const pairs = x.reshape([batch, Math.floor(n / 2), 2]);
      return [pairs.slice(2, 0, 1), pairs.slice(2, 1, 2)];
    };
    const [batch, n] = places.segments.shape as [number, number];
    if (i === count - 1) {
      // The coarsest resolution has no next resolution.
      out.push({ ...places, kept: segments.graph.full([batch, n], 1, "f32") });
      break;
    }
    const [first, second] = pair(places.segments);
    const owner = first.max(second);
    const kept = first.equal(owner).concat([second.equal(owner)], 2);
    const [from, to] = pair(places.positions.mul(kept.cast("i32").reshape([batch, n])));
    out.push({ ...places, kept: kept.cast("f32").reshape([batch, n]) });
    places = {
      segments: owner.reshape([batch, n / 2]),
      positions: from
        .max(to)
        .cast("f32")
        .mul(0.5)
        .floor()
        .cast("i32")
        .reshape([batch, n / 2]),
    };
  }
  return out;
}

/** x `[batch, places, width]`, with zeros where a place does not belong to its patch's sequence. */
const own = (x: Tensor<"f32">, { kept }: Resolution): Tensor<"f32"> => x.mul(kept.reshape([...kept.shape, 1]));

/** Shapes: x `[batch, places, width]` -> `[batch, places / 2, width]`. */
function meanOfPairs(x: Tensor<"f32">, resolution: Resolution): Tensor<"f32"> {
  const [batch, n, width] = x.shape as [number, number, number];
  const { kept } = resolution;
  return own(x, resolution)
    .reshape([batch, n / 2, 2, width])
    .sum(2)
    .div(kept.reshape([batch, n / 2, 2]).sum(2, true));
}

/** Shapes: x `[batch, places, before]` -> `[batch, places / 2, width]`. */
function merge(scope: Scope, x: Tensor<"f32">, resolution: Resolution, width: number): Tensor<"f32"> {
  const [batch, n, before] = x.shape as [number, number, number];
  return linear(
    scope,
    scope.within(() => own(x, resolution).reshape([batch, n / 2, 2 * before])),
    width,
    matrix(2 * before),
  );
}

/** Shapes: x `[batch, places / 2, before]` -> `[batch, places, width]`. */
function expand(scope: Scope, x: Tensor<"f32">, resolution: Resolution, width: number): Tensor<"f32"> {
  const [batch, n, before] = x.shape as [number, number, number];
  const wide = linear(scope, x, 2 * width, matrix(before));
  return scope.within(() => own(wide.reshape([batch, 2 * n, width]), resolution));
}
