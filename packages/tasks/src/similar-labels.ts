/**
 * Labels that differ only by blanks, by upper case, or in the writing of a number (`1`, `1.0`): usually one label
 * with two spellings, of which a model would make two classes.
 */
import { ConfigError } from "@cloze/errors";

/** What is done with similar labels: an error, one label in the most frequent spelling, or two labels. */
export type SimilarLabels = "refuse" | "merge" | "keep";

export interface LabelCount {
  count: number;
  /** Number of the first record that has the label. */
  readonly first: number;
}
export type LabelCounts = ReadonlyMap<string, LabelCount>;

const plainLabel = (label: string): string => {
  const plain = label.normalize("NFC").trim().replace(/\s+/g, " ").toLowerCase();
  // By the digits, since large integers are not exact as numbers: 01, 1.0 and 1.00 are 1.
  const [, sign, whole, fraction = ""] = /^([+-]?)0*(\d+)(?:\.(\d*?)0*)?$/.exec(plain) ?? [];
  return whole === undefined ? plain : `${sign === "-" ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
};

/** The labels with other spellings of them, the most frequent spelling first. */
function similarLabels(counts: LabelCounts): readonly (readonly string[])[] {
  const groups = new Map<string, string[]>();
  for (const label of counts.keys()) groups.set(plainLabel(label), [...(groups.get(plainLabel(label)) ?? []), label]);
  const countOf = (label: string): number => counts.get(label)?.count ?? 0;
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .map((group) => group.sort((a, b) => countOf(b) - countOf(a)));
}

/** Throws ConfigError if labels are similar. `place` names a record. */
export function refuseSimilarLabels(counts: LabelCounts, place: (record: number) => string): void {
  const [group] = similarLabels(counts);
  if (group === undefined) return;
  const shown = group.map((label) => {
    const { count, first } = counts.get(label) as LabelCount;
    return `${JSON.stringify(label)} (${count} times, first in ${place(first)})`;
  });
  throw new ConfigError(
    `labels: expected labels that differ by more than blanks, upper case or the writing of a number, got ` +
      `${shown.join(" and ")}. Correct them; or make one label of them with --similar-labels merge, or two with ` +
      "--similar-labels keep.",
  );
}

/** For each label with other spellings, the most frequent spelling. */
export function mergedLabels(counts: LabelCounts): ReadonlyMap<string, string> {
  return new Map(similarLabels(counts).flatMap((group) => group.map((label) => [label, group[0] as string] as const)));
}
