/** What the tags of records say about them: see examine.ts. */
import { counted, countsOf, integer, shownCounts, type Examiner, type Mistake } from "./examination.ts";
import { schemeEntities, type EntityScheme } from "./tag-scheme.ts";
import type { TaggedRecord } from "./token-classification.ts";

/** A record of so many words, alone in its file, is a text without sentences. */
const LONG_TEXT = 500;
const ENOUGH = 5;

export const examineTags: Examiner<TaggedRecord> = (records, place) => {
  const sides = records.map(({ words, tags = [] }) => ({ words: typeof words === "string" ? [words] : words, tags }));
  const all = sides.flatMap(({ tags }) => tags);
  const counts = countsOf(all);
  const mistakes: Mistake[] = [];
  const warnings: string[] = [];
  const [first] = sides;
  if (sides.every(({ words }) => words.length === 1) && records.length > 1) {
    const inside = all.find((tag) => /^[IELM][-_]./i.test(tag));
    const letters = sides.every(
      ({ words, tags }) => words[0]?.length === tags[0]?.length && (tags[0]?.length ?? 0) > 3,
    );
    if (letters)
      mistakes.push({
        message:
          `expected words with a tag each, got one word and one tag of as many letters (${place(0)}: ` +
          `${first?.words[0]?.slice(0, 20)} and ${first?.tags[0]?.slice(0, 20)}). If each letter has a tag, ` +
          `put blanks ` +
          "between the letters of both.",
      });
    else if (inside !== undefined)
      mistakes.push({
        message:
          `expected sentences, got one word in each of ${integer(records.length)} records, with tags that ` +
          `continue an ` +
          `entity (${inside}). A record is a sentence: in CoNLL a blank line ends it, in a table it is one row.`,
      });
    else if (records.length >= ENOUGH)
      warnings.push(
        `every record has one word, so that no word has a context. In CoNLL a blank line ends a sentence; is ` +
          `there one ` +
          "after each word?",
      );
  }
  if (all.length > 0 && [...counts.keys()].every((tag) => /^\d+$/.test(tag)))
    warnings.push(
      "the tags are numbers, so that entities cannot be counted. Their names are in the description of the data set: " +
        "write the names instead.",
    );
  if (records.length === 1 && (first?.words.length ?? 0) >= LONG_TEXT)
    warnings.push(
      `one record of ${integer(first?.words.length ?? 0)} words. In CoNLL blank lines separate sentences: ` +
        `are they missing?`,
    );
  if (counts.size === 1)
    mistakes.push({
      message:
        `expected different tags, got ${JSON.stringify(all[0])} for all of ${counted(all.length, "word")}. ` +
        `Is the tag in ` +
        "another column? Name the columns: --columns words=1,tags=2.",
      unless: "labels",
    });
  else if (all.length >= 20 && 2 * counts.size > all.length)
    mistakes.push({
      message:
        `expected tags that words share, got ${integer(counts.size)} different ones for ` +
        `${counted(all.length, "word")}, ` +
        `such as ${[...counts.keys()].slice(0, 3).join(", ")}. Is the tag in another column? Name the columns: ` +
        "--columns words=1,tags=2.",
      unless: "labels",
    });
  return {
    mistakes,
    warnings,
    describe({ settings, labels }, part, name) {
      const tags = (part as readonly TaggedRecord[]).map((record) => record.tags ?? []);
      const words = tags.flat().length;
      const scheme = settings["scheme"] as EntityScheme | "none";
      const head = `${name}: ${counted(part.length, "record")}, ${counted(words, "word")}`;
      if (scheme === "none")
        return [`${head}, ${counted(labels.length, "tag")}: ${shownCounts(countsOf(tags.flat()), labels)}`];
      const entities = tags.map((each) => schemeEntities(each, scheme));
      const types = countsOf(entities.flat().map(({ type }) => type));
      const total = entities.flat().length;
      const sorted = [...types.keys()].sort();
      return [
        `${head}, tags ${scheme}, ${counted(total, "entity").replace("entitys", "entities")}` +
          (total > 0 ? `: ${shownCounts(types, sorted)}` : ""),
        ...strays(tags, scheme, name === "train" ? place : (record) => `${name}, record ${record + 1}`),
      ];
    },
  };
};

function strays(
  tags: readonly (readonly string[])[],
  scheme: EntityScheme,
  place: (record: number) => string,
): readonly string[] {
  let total = 0;
  let odd = 0;
  let first: number | undefined;
  for (const [record, each] of tags.entries()) {
    const strict = new Set(
      schemeEntities(each, scheme, "strict").map(({ start, end, type }) => `${start} ${end} ${type}`),
    );
    for (const { start, end, type } of schemeEntities(each, scheme)) {
      total++;
      if (strict.has(`${start} ${end} ${type}`)) continue;
      odd++;
      first ??= record;
    }
  }
  return first === undefined
    ? []
    : [
        `warning: ${integer(odd)} of ${integer(total)} entities are not written as ${scheme} has it, first in ` +
          `${place(first)}. Figures as f1 count them, as seqeval's default mode does; figures as strictF1 do not.`,
      ];
}
