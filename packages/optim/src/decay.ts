/**
 * Decay of parameters: by groups, whose decays are constants of the graph, or one value over the run, which is a feed.
 *
 * Feed of a decay that changes: `<optimizer>.decay`, f32 `[]`; which parameters decay is then as with a constant.
 */
import { ConfigError } from "@cloze/errors";
import type { Graph, HostTensor, Tensor } from "@cloze/graph";
import { atStep, linearSchedule, type Progress, type Scheduled } from "@cloze/schedule";
import { hostScalar } from "./optimizer.ts";
import type { ParameterGroup } from "./parameter-group.ts";

export interface Decay {
  readonly groups: readonly ParameterGroup[];
  /** What a parameter of the group decays by, times the learning rate. */
  of(graph: Graph, group: ParameterGroup): number | Tensor<"f32">;
  /** The feed of update `t`, where there is one. */
  scalars(t: number, progress?: Progress): Readonly<Record<string, HostTensor>>;
}

/** Groups that were given, or those that `groups` makes of a decay; not both. Throws ConfigError. */
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
    // 1 marks what decays.
    groups: groups(1),
    of: (graph, group) => (group.weightDecay === 0 ? 0 : graph.input(feed, "f32", [])),
    scalars: (t, progress = atStep(t - 1)) => ({ [feed]: hostScalar(schedule.at(progress)) }),
  };
}
