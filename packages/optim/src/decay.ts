/**
 * Decay of parameters: by groups, whose decays are constants of the graph; or one value that changes over the run, as a
 * feed.
 *
 * Feed of a changing decay: `<optimizer>.decay`, f32 `[]`. The same parameters decay as with a constant.
 */
import { ConfigError } from "@cloze/errors";
import type { Graph, HostTensor, Tensor } from "@cloze/graph";
import { atStep, linearSchedule, type Progress, type Scheduled } from "@cloze/schedule";
import { hostScalar } from "./optimizer.ts";
import type { ParameterGroup } from "./parameter-group.ts";

export interface Decay {
  readonly groups: readonly ParameterGroup[];
  /** The decay of a parameter of the group, before multiplication by the learning rate. */
  of(graph: Graph, group: ParameterGroup): number | Tensor<"f32">;
  /** The feed of update `t`, if there is one. */
  scalars(t: number, progress?: Progress): Readonly<Record<string, HostTensor>>;
}

/**
 * The decay from the given groups, or from the groups that `groups` makes of a decay; not from both. Throws
 * ConfigError.
 */
export function decayOf(
  name: string,
  given: readonly ParameterGroup[] | undefined,
  weightDecay: Scheduled<number> | undefined,
  { groups, usual }: { readonly groups: (weightDecay: number) => readonly ParameterGroup[]; readonly usual: number },
): Decay {
  if (given && weightDecay !== undefined)
    throw new ConfigError(`${name}: expected weightDecay or groups, got both. Put the decay in the groups.`);
  const schedule = linearSchedule(weightDecay ?? usual, {
    where: `${name}: weightDecay`,
    check: (x) => x >= 0 && Number.isFinite(x),
    expected: "a number of 0 or more",
  });
  if (given !== undefined || schedule.points.length === 1) {
    return {
      groups: given ?? groups(schedule.at(atStep(0))),
      of: (_, group) => group.weightDecay,
      scalars: () => ({}),
    };
  }
  const feed = `${name}.decay`;
  return {
    // The 1 marks groups that decay.
    groups: groups(1),
    of: (graph, group) => (group.weightDecay === 0 ? 0 : graph.input(feed, "f32", [])),
    scalars: (t, progress = atStep(t - 1)) => ({ [feed]: hostScalar(schedule.at(progress)) }),
  };
}
