/**
 * Parameter groups as data: the decay of parameters, their share of the learning rate, and the frozen parameters. The
 * first group that matches a parameter is its group. A parameter that no group matches is an error; no parameter is
 * left out without notice.
 *
 * Layer-wise decay: the head learns at the full rate, and each layer learns at `decay` times the rate of the layer
 * above it, because deep layers are general and should change least. Source: Howard and Ruder 2018, arXiv:1801.06146,
 * section 3.2 ("discriminative fine-tuning"); the factor by layer comes from ELECTRA and BEiT.
 */
import { ConfigError } from "@cloze/errors";
import type { Shape } from "@cloze/graph";

export interface ParameterGroup {
  /** Regular expression over the name. Absent: every name. */
  readonly name?: string;
  readonly minRank?: number;
  readonly maxRank?: number;
  readonly weightDecay: number;
  /** Factor of the learning rate. Default 1. */
  readonly lrScale?: number;
  /** Frozen: the parameter does not change, and has no gradient and no state. */
  readonly frozen?: true;
}

/** The usual two groups: no decay on vectors (biases, norm weights), `weightDecay` on matrices and tables. */
export function decayGroups(weightDecay: number): readonly ParameterGroup[] {
  return [{ maxRank: 1, weightDecay: 0 }, { weightDecay }];
}

export function groupOf(groups: readonly ParameterGroup[], name: string, shape: Shape): ParameterGroup {
  const found = groups.find(
    (g) =>
      (g.name === undefined || new RegExp(g.name).test(name)) &&
      shape.length >= (g.minRank ?? 0) &&
      shape.length <= (g.maxRank ?? Infinity),
  );
  if (found === undefined)
    throw new ConfigError(
      `parameter groups: expected one for every parameter, got none for "${name}" [${shape.join(", ")}]. End the ` +
        "list with a group without conditions.",
    );
  return found;
}

/**
 * The depth of a parameter, by its name: 0 for the embeddings, 1 to `layers` for the layers, layers + 1 for everything
 * above.
 */
export function depthOf(name: string, layers: number): number {
  const layer = /(?:^|\.)layers?\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return Number(layer) + 1;
  return /(?:^|\.)embeddings\./.test(name) ? 0 : layers + 1;
}

export interface LayerGroupOptions {
  /** Weight decay of matrices and tables; vectors do not decay. */
  readonly weightDecay: number;
  /** Rate of a layer as a share of the rate of the layer above it. Default 1: all layers have the same rate. */
  readonly lrDecay?: number;
  /**
   * Freezes the embeddings and this number of the lowest layers; 0 freezes the embeddings alone. Default: nothing is
   * frozen.
   */
  readonly freeze?: number;
}

/**
 * Groups by depth for parameters of these names (of a BERT-like encoder, `….embeddings.…` and `….layer.N.…`).
 *
 * @example
 * const embeddings = "bert.embeddings.word_embeddings.weight";
 * const names = [embeddings, "bert.encoder.layer.0.output.dense.weight", "classifier.weight"];
 * const groups = layerGroups(names, { weightDecay: 0, lrDecay: 0.5 });
 * groups.map(({ lrScale }) => lrScale)  // => [0.25, 0.25, 0.5, 0.5, 1, 1]
 */
export function layerGroups(
  names: Iterable<string>,
  { weightDecay, lrDecay = 1, freeze }: LayerGroupOptions,
): readonly ParameterGroup[] {
  if (!(lrDecay > 0 && lrDecay <= 1))
    throw new ConfigError(`layer groups: expected lrDecay above 0 and at most 1, got ${lrDecay}.`);
  const all = [...names];
  const layers = all.reduce((n, name) => Math.max(n, Number(/(?:^|\.)layers?\.(\d+)\./.exec(name)?.[1] ?? -1) + 1), 0);
  if (freeze !== undefined && !(Number.isSafeInteger(freeze) && freeze >= 0 && freeze <= layers))
    throw new ConfigError(
      `layer groups: expected freeze from 0 (the embeddings) to ${layers} (all layers), got ${freeze}.`,
    );
  const byDepth = new Map<number, string[]>();
  for (const name of all) {
    const depth = depthOf(name, layers);
    byDepth.set(depth, [...(byDepth.get(depth) ?? []), name]);
  }
  return [...byDepth]
    .sort(([a], [b]) => a - b)
    .flatMap(([depth, members]): ParameterGroup[] => {
      const name = `^(?:${members.map((member) => member.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})$`;
      if (freeze !== undefined && depth <= freeze) return [{ name, weightDecay: 0, frozen: true }];
      const lrScale = lrDecay ** (layers + 1 - depth);
      return [
        { name, maxRank: 1, weightDecay: 0, lrScale },
        { name, weightDecay, lrScale },
      ];
    });
}
