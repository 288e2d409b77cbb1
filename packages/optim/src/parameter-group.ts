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
import { isSelected, type ParameterFacts, type Selection } from "./parameter.ts";

export interface ParameterGroup extends Selection {
  readonly weightDecay: number;
  /** Factor of the learning rate. Default 1. */
  readonly lrScale?: number;
  /** Frozen: the parameter does not change, and has no gradient and no state. */
  readonly frozen?: true;
}

const VECTORS: Selection = { kinds: ["vector"] };

/** The usual two groups: no decay on vectors (biases, norm weights), `weightDecay` on matrices and tables. */
export function decayGroups(weightDecay: number): readonly ParameterGroup[] {
  return [{ ...VECTORS, weightDecay: 0 }, { weightDecay }];
}

export function groupOf(groups: readonly ParameterGroup[], parameter: ParameterFacts): ParameterGroup {
  const found = groups.find((group) => isSelected(group, parameter));
  if (found === undefined)
    throw new ConfigError(
      `parameter groups: expected one for every parameter, got none for "${parameter.name}" ` +
        `[${parameter.shape.join(", ")}]. End the list with a group without conditions.`,
    );
  return found;
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
 * Groups by depth for these parameters: from the embeddings to what is above the layers.
 *
 * @example
 * const shape = [4, 4];
 * const parameters = [{ name: "words", shape, depth: 0 }, { name: "dense", shape, depth: 1 }, { name: "top", shape }];
 * const groups = layerGroups(parameters, { weightDecay: 0, lrDecay: 0.5 });
 * groups.map(({ lrScale }) => lrScale)  // => [0.25, 0.25, 0.5, 0.5, 1, 1]
 */
export function layerGroups(
  parameters: Iterable<ParameterFacts>,
  { weightDecay, lrDecay = 1, freeze }: LayerGroupOptions,
): readonly ParameterGroup[] {
  if (!(lrDecay > 0 && lrDecay <= 1))
    throw new ConfigError(`layer groups: expected lrDecay above 0 and at most 1, got ${lrDecay}.`);
  const depths = new Set([...parameters].map(({ depth = Infinity }) => depth));
  const layers = Math.max(0, ...[...depths].filter(Number.isFinite));
  if (freeze !== undefined && !(Number.isSafeInteger(freeze) && freeze >= 0 && freeze <= layers))
    throw new ConfigError(
      `layer groups: expected freeze from 0 (the embeddings) to ${layers} (all layers), got ${freeze}.`,
    );
  return [...depths]
    .sort((a, b) => a - b)
    .flatMap((depth): ParameterGroup[] => {
      const at: Selection = { depths: [depth, depth] };
      if (freeze !== undefined && depth <= freeze) return [{ ...at, weightDecay: 0, frozen: true }];
      const lrScale = lrDecay ** (layers + 1 - Math.min(depth, layers + 1));
      return [
        { ...at, ...VECTORS, weightDecay: 0, lrScale },
        { ...at, weightDecay, lrScale },
      ];
    });
}
