/**
 * Parameter groups as data: which parameters decay, at what share of the learning rate they move, and which do not move
 * at all. The first group that matches a parameter is its group; a parameter that none matches is an error, never
 * silently left out.
 *
 * Layer-wise decay: the head learns at the full rate, and each layer below the one above at `decay` times its rate, for
 * what lies deep is general and should change least. Source: Howard and Ruder 2018, arXiv:1801.06146, section 3.2
 * ("discriminative fine-tuning"); the factor by layer is that of ELECTRA and BEiT.
 */
import { ConfigError } from "@cloze/errors";
import type { Shape } from "@cloze/graph";

export interface ParameterGroup {
  /** Regular expression over the name; every name without it. */
  readonly name?: string;
  readonly minRank?: number;
  readonly maxRank?: number;
  readonly weightDecay: number;
  /** Times the learning rate. Default 1. */
  readonly lrScale?: number;
  /** Stays as it is: no gradient is computed for it, and no state kept. */
  readonly frozen?: true;
}

/** The usual two: no decay on vectors (biases, norm weights), `weightDecay` on matrices and tables. */
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
 * How deep a parameter lies, by its name: 0 the embeddings, 1 to layers the layers, layers + 1 whatever is above them.
 */
export function depthOf(name: string, layers: number): number {
  const layer = /(?:^|\.)layers?\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return Number(layer) + 1;
  return /(?:^|\.)embeddings\./.test(name) ? 0 : layers + 1;
}

export interface LayerGroupOptions {
  /** Of matrices and tables; vectors do not decay. */
  readonly weightDecay: number;
  /** Rate of a layer as a share of that of the layer above it. Default 1: all alike. */
  readonly lrDecay?: number;
  /** Keeps the embeddings and so many of the lowest layers as they are; 0 the embeddings alone. Default: nothing. */
  readonly freeze?: number;
}

/**
 * Groups by depth for parameters of these names (of a BERT-like encoder, `….embeddings.…` and `….layer.N.…`).
 *
 * @example
 * const names = ["bert.embeddings.word_embeddings.weight", "bert.encoder.layer.0.output.dense.weight",
 * "classifier.weight"];
 * layerGroups(names, { weightDecay: 0, lrDecay: 0.5 }).map(({ lrScale }) => lrScale)  // => [0.25, 0.25, 0.5, 0.5, 1,
 * 1]
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
