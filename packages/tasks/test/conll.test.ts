// CoNLL files as they are published. Oracle: the format of CoNLL-U (universaldependencies.org/format.html: comments
// before a sentence, ID FORM LEMMA UPOS …, ranges and empty nodes), and the words that each file visibly has.
import { describe, expect, test } from "vitest";
import { parseConll, type ConllColumns } from "../src/index.ts";

const read = (text: string, columns?: ConllColumns): readonly string[] =>
  parseConll(text, "x", columns).map(({ words, tags }) => words.map((word, i) => `${word}/${tags[i]}`).join(" "));

describe("comments and words that begin with #", () => {
  test.each([
    ["CoNLL comments", "# sent_id = 1\n# text = Ann is\nAnn B-PER\nis O\n", ["Ann/B-PER is/O"]],
    ["a comment of as many columns as a word", "# newdoc\nAnn O\n# id x\nBob O\n", undefined],
    ["a comment of two words", "# newdoc\nAnn B-PER\n\n# newpar\nBob O\n", ["Ann/B-PER", "Bob/O"]],
    ["a comment of four columns", "# text = O\nAnn NN NP O\n", ["Ann/O"]],
    ["comments of MultiCoNER, with a tab", "# id 3\tdomain=en\nAnn _ _ B-PER\nis _ _ O\n", ["Ann/B-PER is/O"]],
    ["comments of GermEval", "#\thttp://x [2010]\n1\tAnn\tB-PER\n2\tist\tO\n", ["Ann/B-PER ist/O"]],
    ["tweets", "#love O\n# O\n@ann B-PER\n# O\n\n# O\nRome B-LOC\n", ["#love/O #/O @ann/B-PER #/O", "#/O Rome/B-LOC"]],
    ["a hashtag that is the only entity", "#Obama\tB-PER\nis\tO\n", ["#Obama/B-PER is/O"]],
    ["the pound sign of the Penn treebank", "#\t#\n5\tCD\n", ["#/# 5/CD"]],
    ["-DOCSTART-", "-DOCSTART- -X- -X- O\n\nAnn NNP B-NP B-PER\n", ["Ann/B-PER"]],
  ] as const)("%s", (_name, text, expected) => {
    if (expected === undefined) expect(() => read(text)).toThrow(/line 3: expected 2 columns.*got 3/);
    else expect(read(text)).toEqual(expected);
  });

  test("a hashtag without a tag is not taken for a comment", () =>
    expect(() => read("#love\nRome B-LOC\n")).toThrow(/line 1: expected a word and its tag, got "#love"/));
});

describe("columns", () => {
  const ud =
    "# sent_id = a\n# text = vámonos al mar\n1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_\n" +
    "1\tvamos\tir\tVERB\t_\t_\t0\troot\t_\t_\n2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_\n" +
    "2.1\tx\tx\tX\t_\t_\t_\t_\t_\t_\n3\t#\t#\tSYM\t_\t_\t1\tobj\t_\tNER=O\n";
  test.each([
    ["CoNLL-U: FORM and UPOS, no ranges, no empty nodes", ud, undefined, ["vamos/VERB nos/PRON #/SYM"]],
    ["CoNLL-U, a column by number", ud, { tags: "8" }, ["vamos/root nos/obj #/obj"]],
    ["CoNLL-U Plus", "# global.columns = ID FORM NER\n1\tAnn\tB-PER\n", undefined, ["Ann/B-PER"]],
    ["tabs, blanks and blank lines of blanks", "a\tO\nb O\n \t\n\n\r\nc   O  \n", undefined, ["a/O b/O", "c/O"]],
    ["a header", "Token\tPOS\tNER_Tag\nAnn\tNNP\tB-PER\n", undefined, ["Ann/B-PER"]],
    ["a header, a column by name", "token\tpos\tner\nAnn\tNNP\tO\n", { tags: "POS" }, ["Ann/NNP"]],
    ["columns by number", "1\tAnn\tB-PER\tO\n2\tis\tO\tO\n", { words: "2", tags: "3" }, ["Ann/B-PER is/O"]],
    ["numbers as words", "1 CD\n2 CD\n", undefined, ["1/CD 2/CD"]],
  ] as const)("%s", (_name, text, columns, expected) => expect(read(text, columns)).toEqual(expected));

  test("what cannot be known is asked for", () => {
    expect(() => read("1\tAnn\tB-PER\tO\n2\tis\tO\tO\n")).toThrow(
      /line 1: expected to know the columns.*--columns words=2,tags=3/,
    );
    expect(() => read("New York B-LOC\nis O\nbig O\n")).toThrow(/line 1: expected 2 columns.*got 3: "New York B-LOC"/);
    expect(() => read("Ann NNP B-PER\nis VBZ\nbig JJ O\n")).toThrow(/line 2: expected 3 columns.*got 2/);
    expect(() => read("a O\n", { tags: "9" })).toThrow(/expected a column "9", got 2 columns/);
  });
});
