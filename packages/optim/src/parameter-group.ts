/**
 * Parameter groups as data: which parameters decay, and at what share of the learning rate they move. The first group that
 * matches a parameter is its group; a parameter that none matches is an error, never silently left out.
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
}

/** The usual two: no decay on vectors (biases, norm weights), `weightDecay` on matrices and tables. */
export function decayGroups(weightDecay: number): readonly ParameterGroup[] {
  return [{ maxRank: 1, weightDecay: 0 }, { weightDecay }];
}

export function groupOf(groups: readonly ParameterGroup[], name: string, shape: Shape): ParameterGroup {
  const found = groups.find((g) =>
    (g.name === undefined || new RegExp(g.name).test(name)) && shape.length >= (g.minRank ?? 0) && shape.length <= (g.maxRank ?? Infinity));
  if (found === undefined) throw new ConfigError(`parameter groups: expected one for every parameter, got none for "${name}" [${shape.join(", ")}]. End the list with a group without conditions.`);
  return found;
}
