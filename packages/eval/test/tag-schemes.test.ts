// Entities by tag scheme against seqeval 1.2.2 (tooling/golden/tag-schemes.py): its default mode, and strict mode.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { entitiesOf, entityScores, type Entity, type Scores, type StrictScheme } from "../src/index.ts";

type Listed = readonly [type: string, start: number, end: number];
type Averages = Readonly<Record<"micro" | "macro" | "weighted", Scores>>;

interface Corpus {
  readonly scheme: StrictScheme;
  readonly sentences: readonly {
    readonly tags: readonly string[];
    readonly strict: readonly Listed[];
    readonly lenient: readonly Listed[];
  }[];
  readonly predictions: readonly (readonly string[])[];
  readonly strict: Averages;
  readonly lenient: Averages;
}

const goldens = JSON.parse(
  readFileSync(new URL("goldens/tag-schemes.json", import.meta.url), "utf8"),
) as readonly Corpus[];

const listed = (entities: readonly Entity[]): readonly Listed[] =>
  entities.map(({ type, start, end }) => [type, start, end]);

describe.each(goldens)("$scheme equals seqeval", ({ scheme, sentences, predictions, strict, lenient }) => {
  test("the entities of each sentence", () => {
    for (const sentence of sentences) {
      const { tags } = sentence;
      expect({
        tags,
        strict: listed(entitiesOf(tags, scheme)),
        lenient: listed(entitiesOf(tags)),
      }).toEqual(sentence);
    }
  });

  test.each([
    ["strict", scheme, strict],
    ["default", "conll", lenient],
  ] as const)("the scores, %s", (_mode, mode, expected) => {
    const got = entityScores(
      sentences.map(({ tags }) => tags),
      predictions,
      mode,
    );
    for (const name of ["micro", "macro", "weighted"] as const)
      for (const figure of ["precision", "recall", "f1"] as const)
        expect(got[name][figure], `${name} ${figure}`).toBeCloseTo(expected[name][figure], 12);
  });
});
