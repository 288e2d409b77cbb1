/**
 * Growth: a larger model that starts from a smaller model of its family. Every tensor is tiled from the middle, and
 * layers are taken evenly (`grow/tile.ts`). The family gives the axes (`grow/axes.ts`).
 *
 * With tiling alone, as for ModernBERT-large, sums over a wider axis grow with the axis: a matrix with each input twice
 * gives twice the output. `keepSums` divides each copy of an input by the number of its copies. Where widths grow to a
 * whole multiple at the same depth and head dimension, the large model then computes exactly the function of the small
 * model (Net2Net: Chen et al. 2015, arXiv:1511.05641). Otherwise norms see other means, and layers that occur twice act
 * twice. The logits of a speedrun encoder with a tied head are not kept: there is no norm before the head to divide.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { sameShape, showShape, type HostTensor, type HostTensors, type Shape } from "@cloze/graph";
import { initialValue, type Parameter } from "@cloze/nn";
import type { OpenedModel } from "./family.ts";
import { axisRules, type Axis, type AxisRule, type Factor } from "./grow/axes.ts";
import { evenly, tileAxis, tileMatrix, timesTaken, type Factors } from "./grow/tile.ts";

export interface GrowOptions {
  /** Seed of the parameters that the small model does not have. */
  readonly seed: number;
  /** Keeps sums over a wider axis at their old value. Default true. */
  readonly keepSums?: boolean;
  /**
   * Multiplies the weights of matrices by 1 + `noise` times a normal number. Default 0: copies of a neuron then have
   * equal gradients, and without dropout they stay copies.
   */
  readonly noise?: number;
}

export interface Grown {
  readonly weights: HostTensors;
  /** For each layer, the layer of the small model from which it starts. */
  readonly layers: readonly number[];
  /** Names of parameters with new initial values. */
  readonly fresh: readonly string[];
}

export { evenly } from "./grow/tile.ts";

type Model = Pick<OpenedModel, "family" | "configText" | "notes">;

/**
 * The large model's weights. `parameters`: the wanted parameters of the large model. `weights`: the tensors of the
 * small model.
 *
 * Throws ConfigError for models of two families, for a different vocabulary or number of positions, and for a size
 * below the small model's size; UnsupportedError for a parameter without a rule.
 */
export function growWeights(
  small: Model & { readonly weights: HostTensors },
  big: Model,
  parameters: ReadonlyMap<string, Parameter>,
  { seed, keepSums = true, noise = 0 }: GrowOptions,
): Grown {
  if (small.family !== big.family)
    throw new ConfigError(
      `grow: expected two models of one family, got ${small.family} and ${big.family}. Choose a larger ` +
        `${small.family}.`,
    );
  const rules = axisRules[big.family]?.() ?? [];
  const from = layerCounts(Object.keys(small.weights));
  const to = layerCounts([...parameters.keys()]);
  const weights: Record<string, HostTensor> = {};
  const fresh: string[] = [];
  const sizes = { small: headsOf(small), big: headsOf(big) };
  const tied = Object.keys(big.notes.tied).some((copy) => !parameters.has(copy));
  for (const [name, parameter] of parameters) {
    const axes = ruleFor(rules, name, big.family).axes;
    const source = small.weights[sourceName(name, from, to)];
    if (axes === "new" || source === undefined) {
      fresh.push(name);
      weights[name] = initialValue(name, parameter, seed);
    } else {
      const { shape } = parameter;
      const data = tiled(name, source, shape, axes, { ...sizes, tied, keepSums });
      weights[name] = {
        dtype: "f32",
        shape,
        data: noise > 0 && shape.length === 2 ? stirred(name, data, shape, noise, seed) : data,
      };
    }
  }
  return { weights, layers: layersOf(from, to), fresh };
}

function stirred(
  name: string,
  data: Float32Array,
  shape: Shape,
  noise: number,
  seed: number,
): Float32Array<ArrayBuffer> {
  const drawn = initialValue(`${name} noise`, { shape, init: { kind: "normal", std: noise } }, seed).data;
  return Float32Array.from(data, (x, i) => x * (1 + (drawn[i] as number)));
}

function headsOf({ configText }: Model): number {
  const { num_attention_heads: heads } = JSON.parse(configText()) as { readonly num_attention_heads?: unknown };
  if (typeof heads !== "number")
    throw new ConfigError(`grow: expected num_attention_heads in config.json, got ${JSON.stringify(heads)}.`);
  return heads;
}

function ruleFor(rules: readonly AxisRule[], name: string, family: string): AxisRule {
  const rule = rules.find((each) => each.name.test(name));
  if (rule === undefined)
    throw new UnsupportedError(
      `grow: expected a ${family} whose parameters are known here, got "${name}", of which nothing says how it grows.`,
    );
  return rule;
}

interface Growth {
  readonly small: number;
  readonly big: number;
  readonly tied: boolean;
  readonly keepSums: boolean;
}

function tiled(
  name: string,
  { data, shape: from }: HostTensor,
  to: Shape,
  axes: readonly Axis[],
  { small, big, tied, keepSums }: Growth,
): Float32Array<ArrayBuffer> {
  const places = to.map((size, k) => {
    const { factors } = axes[k] ?? { factors: "same" };
    const was = from[k] ?? 0;
    const what = `grow, ${name}`;
    if (factors !== "same") return tileAxis(sizesOf(factors, was, small), sizesOf(factors, size, big), what);
    if (was !== size)
      throw new ConfigError(
        `${what}: expected the same vocabulary, positions and labels, ${showShape(from)}, got ${showShape(to)}. ` +
          "Change config.json, or the small model first: cloze checkpoint resize.",
      );
    return tileAxis([size], [size], what);
  });
  const { summed } = axes.at(-1) ?? {};
  const count = from.at(-1) ?? 1;
  const columns = places.at(-1) as Int32Array;
  const rows = places.length === 2 ? (places[0] as Int32Array) : Int32Array.of(0);
  const out = tileMatrix(data, count, [rows, columns]);
  if (!keepSums || summed === undefined || (summed === "tied" && !tied) || sameShape(from, to)) return out;
  const times = timesTaken(columns, count);
  return out.map((x, i) => x / (times[columns[i % columns.length] as number] as number));
}

/** The sizes of an axis's factors. `rest` is the axis size divided by the other factors. */
function sizesOf(factors: readonly Factor[], size: number, heads: number): Factors {
  const known = factors.map((factor) => (factor === "heads" ? heads : factor));
  const product = known.reduce<number>((all, each) => (each === "rest" ? all : all * each), 1);
  return known.map((each) => (each === "rest" ? size / product : each));
}

/** A layer's parameter name: the text before the number, the number, and the text after it. */
const NUMBERED = /^(.*?\.)(\d+)(\..*)$/;

/** The number of layers, by the text before the number: `model.layers.` -> 22. */
function layerCounts(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    const [, before, number] = NUMBERED.exec(name) ?? [];
    if (before !== undefined) counts.set(before, Math.max(counts.get(before) ?? 0, Number(number) + 1));
  }
  return counts;
}

/** The small model's parameter for a parameter of the large model: the same name, in the layer at the same depth. */
function sourceName(name: string, from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>): string {
  const [, before, number, after] = NUMBERED.exec(name) ?? [];
  if (before === undefined) return name;
  return `${before}${evenly(from.get(before) ?? 0, to.get(before) ?? 0)[Number(number)] ?? ""}${after ?? ""}`;
}

/** The source of each layer, from the longest numbered list of parameters: the list of the layers. */
function layersOf(from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>): readonly number[] {
  const [longest] = [...to].sort(([, a], [, b]) => b - a)[0] ?? [];
  return longest === undefined ? [] : evenly(from.get(longest) ?? 0, to.get(longest) ?? 0);
}
