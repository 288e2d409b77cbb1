/** The sum of the counts of parts: the counts of the whole. */
import { IssueCounter } from "@cloze/tokenizer";
import type { ShardCounts, TextCounts } from "./shard-index.ts";

export function sumCounts(all: readonly ShardCounts[]): ShardCounts {
  const sum = (key: "records" | "residues" | "empty" | "emptied" | "unnamed"): number =>
    all.reduce((n, counts) => n + counts[key], 0);
  const issues = new IssueCounter();
  const texts = all.flatMap(({ text }) => (text === undefined ? [] : [text]));
  for (const counts of all) issues.add(counts);
  const stops = all.flatMap(({ innerStops }) => (innerStops === undefined ? [] : [innerStops]));
  const ofText = (key: keyof TextCounts): number => texts.reduce((n, text) => n + text[key], 0);
  return {
    records: sum("records"),
    residues: sum("residues"),
    empty: sum("empty"),
    emptied: sum("emptied"),
    unnamed: sum("unnamed"),
    ...(stops[0] === undefined
      ? {}
      : { innerStops: { records: stops.reduce((n, { records }) => n + records, 0), first: stops[0].first } }),
    ...(texts.length === 0
      ? {}
      : {
          text: {
            sentences: ofText("sentences"),
            invalid: ofText("invalid"),
            bytes: ofText("bytes"),
            unknownTokens: ofText("unknownTokens"),
            duplicates: ofText("duplicates"),
            tooShort: ofText("tooShort"),
            tooLong: ofText("tooLong"),
          },
        }),
    ...issues.issues(),
  };
}
