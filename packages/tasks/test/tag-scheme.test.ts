// Tag schemes: detection, entities, labels. Oracle of entities: seqeval 1.2.2 (tooling/golden/tag-schemes.py) over the
// goldens of @cloze/eval, written in other spellings of the same scheme.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { tokenClassification, type TagSchemeName } from "../src/index.ts";
import { parseTask, taskText, type Task } from "../src/index.ts";
import { schemeEntities, type EntityScheme } from "../src/tag-scheme.ts";

const record = (tags: string): { readonly words: readonly string[]; readonly tags: readonly string[] } => ({
  words: tags.split(" "),
  tags: tags.split(" "),
});
const fitted = (...sentences: readonly string[]): { readonly scheme: unknown; readonly labels: readonly string[] } => {
  const { settings, labels } = tokenClassification().fit(sentences.map(record));
  return { scheme: settings["scheme"], labels };
};

describe("detection", () => {
  test.each([
    ["IOB2", ["B-PER I-PER O B-PER B-PER"], "O B-PER I-PER"],
    ["IOB1", ["I-PER I-PER O I-PER B-PER", "B-PER O"].slice(0, 1), "O B-PER I-PER"],
    ["IOB2 with strays", ["B-PER I-PER O I-PER O B-PER"], "O B-PER I-PER"],
    ["IO", ["I-PER I-PER O I-LOC"], "O I-LOC I-PER"],
    ["IOE2", ["I-PER E-PER O E-LOC"], "O I-LOC E-LOC I-PER E-PER"],
    ["IOE1", ["I-PER E-PER I-PER O I-PER"], "O I-PER E-PER"],
    ["IOBES", ["B-PER I-PER E-PER O S-PER"], "O B-PER I-PER E-PER S-PER"],
    ["BILOU", ["B-PER I-PER L-PER O U-LOC"], "O B-LOC I-LOC L-LOC U-LOC B-PER I-PER L-PER U-PER"],
    ["BMES", ["B-PER M-PER E-PER O S-PER"], "O B-PER M-PER E-PER S-PER"],
    ["BMES of words in Chinese", ["B E S B M E"], "B E M S"],
    ["IOB2 without types", ["B I O", "O B O"], "B I O"],
    ["IOB2 in lower case", ["b-per i-per o"], "o b-per i-per"],
    ["IOB2 with underscores", ["B_PER I_PER O"], "O B_PER I_PER"],
    ["bare", ["PER PER O LOC"], "LOC O PER"],
    ["none: parts of speech", ["DT NN VB NN"], "DT NN VB"],
    ["none: a topology of membranes", ["O O M M I I M O"], "I M O"],
    ["none: secondary structure", ["H E C H E C"], "C E H"],
    ["none: Twitter's parts of speech", ["O V N # ! O"], "! # N O V"],
  ] as const)("%s", (name, sentences, labels) =>
    expect(fitted(...sentences)).toEqual({ scheme: name.split(/[ :]/, 1)[0], labels: labels.split(" ") }),
  );

  test("tags of no scheme are refused, with their place", () => {
    expect(() => fitted("O O", "O B-PER X")).toThrow(
      /example 2, word 3: expected a letter and a type, as B-PER has, got "X".*--tag-scheme/,
    );
    expect(() => fitted("B-PER E-PER O U-PER")).toThrow(/expected tags of one scheme, got the letters B, E, U/);
    expect(() => fitted("PER-B PER-I O")).toThrow(/expected the letter before the type, as B-PER, got "PER-B"/);
    expect(() => tokenClassification({ scheme: "IOB2" }).fit([record("O S-PER")])).toThrow(
      /example 1, word 2: expected a tag of IOB2 \(O, B-…, I-…\), got "S-PER"/,
    );
    expect(tokenClassification({ scheme: "none" }).fit([record("O B-PER X")]).labels).toEqual(["B-PER", "O", "X"]);
  });
});

interface Corpus {
  readonly scheme: EntityScheme;
  readonly sentences: readonly {
    readonly tags: readonly string[];
    readonly strict: unknown;
    readonly lenient: unknown;
  }[];
}
const corpora = JSON.parse(
  readFileSync(new URL("../../eval/test/goldens/tag-schemes.json", import.meta.url), "utf8"),
) as readonly Corpus[];

const SPELLINGS: readonly (readonly [TagSchemeName, TagSchemeName, (tag: string) => string])[] = [
  ...(["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"] as const).map(
    (scheme) => [scheme, scheme, (tag: string) => tag] as const,
  ),
  ["IOBES", "BMES", (tag) => tag.replace(/^I/, "M")],
  ["IOBES", "BMES", (tag) => tag.replace(/^I/, "M").replace(/^S/, "W")],
  ["BILOU", "BILOU", (tag) => tag.slice(0, 1).toLowerCase() + tag.slice(1).replace("-", "_")],
];

test.each(SPELLINGS)("entities of seqeval's %s, written as %s", (golden, scheme, spell) => {
  const { sentences } = corpora.find((each) => each.scheme === golden) as Corpus;
  for (const { tags, strict, lenient } of sentences) {
    const found = (mode: "default" | "strict"): unknown =>
      schemeEntities(tags.map(spell), scheme as EntityScheme, mode).map(({ type, start, end }) => [type, start, end]);
    expect({ tags, strict: found("strict"), lenient: found("default") }).toEqual({ tags, strict, lenient });
  }
});

test("the scheme is saved with the task, and scores both ways", () => {
  const task = tokenClassification().fit([record("U-PER O B-LOC L-LOC")]);
  const { task: opened } = parseTask(taskText(task as Task, 32), "task.json");
  expect(opened.settings).toEqual({ scheme: "BILOU" });
  const truth = record("U-PER U-PER O B-LOC L-LOC");
  const guess = { words: [], tags: ["U-PER", "U-PER", "O", "I-LOC", "L-LOC"], entities: [] };
  // Of three entities the default mode finds all; in strict mode I-LOC begins none.
  expect(opened.score([truth], [guess])).toMatchObject({
    f1: 1,
    strictF1: 0.8,
    strictPrecision: 1,
    strictRecall: 2 / 3,
  });
});

test("bare tags are entities of one type in a row", () => {
  expect(schemeEntities(["PER", "PER", "O", "LOC", "PER"], "bare")).toEqual([
    { type: "PER", start: 0, end: 2 },
    { type: "LOC", start: 3, end: 4 },
    { type: "PER", start: 4, end: 5 },
  ]);
});
