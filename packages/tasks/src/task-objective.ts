/** The adapter from a task to an objective of the trainer. The number of an example selects its targets. */
import type { Objective } from "@cloze/objective";
import { encoderFeeds, encoderInputs } from "@cloze/objective";
import type { RowTarget, Task, TaskPart } from "./task.ts";

/** `targets`: one for each row. A batch's example number is the row number. */
export function taskObjective(
  { kind, head, labels, settings }: Task,
  targets: readonly RowTarget[],
): Objective<TaskPart> {
  const targetOf = (example: number): RowTarget => {
    const target = targets[example];
    if (target === undefined)
      throw new RangeError(`${kind}: expected an example below ${targets.length}, got ${example}`);
    return target;
  };
  return {
    name: kind,
    requires: head.requires,
    options: { ...settings, labels },
    prepare: (batch) => ({ feeds: { ...encoderFeeds(batch), ...head.targetFeeds(batch, targetOf) } }),
    loss: (scope, model, feeds) => head.loss(head.logits(scope, model, encoderInputs(feeds)), feeds),
  };
}
