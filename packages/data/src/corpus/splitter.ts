/** The splitter: a split rule of either kind as one function of a record. */
import { ConfigError } from "@cloze/errors";
import { heldOutRows, type ShuffledSplit } from "./shuffled-split.ts";
import { checkSplitRule, splitOf, type SplitName, type SplitRule } from "./split.ts";

/** A split by content, or by row number as in published sets. */
export type AnySplitRule = SplitRule | ShuffledSplit;

/**
 * The split of the record `bytes[start, end)`. `record` is the record's number over all inputs, empty records included.
 */
export type Splitter = (bytes: Uint8Array, start: number, end: number, record: number) => SplitName;

export const isShuffled = (rule: AnySplitRule): rule is ShuffledSplit => "heldOut" in rule;

/** The splitter of a rule by content. Without a rule, every record is training data. */
export function contentSplitter(rule: SplitRule | undefined): Splitter {
  if (rule === undefined) return () => "train";
  checkSplitRule(rule);
  return (bytes, start, end) => splitOf(bytes, rule, start, end);
}

/**
 * The splitter of any rule. `sizes` gives the number of records of each input, with its name, in order. A shuffled
 * split needs all sizes before the first record.
 */
export async function splitterOf(rule: AnySplitRule, sizes: () => Promise<readonly InputSize[]>): Promise<Splitter> {
  if (!isShuffled(rule)) return contentSplitter(rule);
  const held = heldOutRows(groupSizes(await sizes(), rule), rule);
  return (_, __, ___, record) => held.get(record) ?? "train";
}

export interface InputSize {
  readonly name: string;
  readonly records: number;
}

/** The group of an input: the number of the group whose name is a word in the input's name. */
export function groupOf(name: string, groups: readonly string[]): number {
  const words = name.split(/[^A-Za-z0-9]+/);
  const found = groups.findIndex((group) => words.includes(group));
  if (found < 0)
    throw new ConfigError(
      `split: expected a name with one of the words ${groups.join(", ")}, the parts in which the set is ` +
        `published and shuffled, got ${name}. Name all of its files as they are published, or take the split by ` +
        "content.",
    );
  return found;
}

function groupSizes(inputs: readonly InputSize[], { groups }: ShuffledSplit): readonly number[] {
  if (groups === undefined) return [inputs.reduce((n, { records }) => n + records, 0)];
  const sizes = groups.map(() => 0);
  let last = 0;
  for (const { name, records } of inputs) {
    const group = groupOf(name, groups);
    if (group < last)
      throw new ConfigError(
        `split: expected the files in the order ${groups.join(", ")}, got ${name} after one of ` +
          `${groups[last] ?? ""}. Name them in that order.`,
      );
    last = group;
    sizes[group] = (sizes[group] as number) + records;
  }
  const missing = groups.find((_, i) => sizes[i] === 0);
  if (missing !== undefined)
    throw new ConfigError(
      `split: expected files of ${groups.join(", ")}, got none of ${missing}. The rule shuffles the whole set: ` +
        "name all of its files.",
    );
  return sizes;
}
