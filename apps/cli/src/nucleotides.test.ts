// DNA where proteins are read. Oracle: the IUPAC codes of nucleotides (A, C, G, T, U, N and 10 codes of ambiguity), and
// the composition of proteins (UniProtKB/Swiss-Prot: A, C, G, T and N are 26 % of all residues).
import { esm2 } from "@cloze/tokenizer-protein";
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { describe, expect, test } from "vitest";
import { isNucleotides, NucleotideWatch } from "./nucleotides.ts";

const DNA = "ATGGCGTTTACCGATAACGGTCCGATTAACG".repeat(2);
const PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ";

describe("isNucleotides", () => {
  test.each([
    [DNA, true],
    [DNA.toLowerCase(), true],
    [DNA.replaceAll("T", "U"), true],
    [`${DNA}NNNNNNNN\n${DNA}`, true],
    [`${DNA}${DNA}RY`, true],
    [PROTEIN, false],
    ["ACGT", false],
    ["A".repeat(60), false],
    ["GASGAGAGSGAGAGSGAGAGYGAGAGVGYGAGAGSG", false],
  ])("%s: %s", (sequence, expected) => expect(isNucleotides(sequence)).toBe(expected));
});

describe("NucleotideWatch", () => {
  const seen = (sequences: readonly string[], allowed = false, tokenizer = esm2()): NucleotideWatch => {
    const watch = new NucleotideWatch(tokenizer, { where: "x.fasta", allowed });
    sequences.forEach((sequence) => watch.see(sequence));
    return watch;
  };

  test("refuses DNA, warns of some DNA, and is silent about proteins", () => {
    expect(() => seen([DNA, DNA, DNA]).warning()).toThrow(
      /^x\.fasta: expected proteins, got DNA or RNA: 3 of 3 sequences .*--allow-dna/,
    );
    expect(seen([DNA, PROTEIN]).warning()).toMatch(/^warning: x\.fasta: 1 of 2 sequences/);
    expect(seen([PROTEIN]).warning()).toBeUndefined();
    expect(seen([DNA, DNA, DNA], true).warning()).toBeUndefined();
  });

  test("asks only where the tokens are residues", () =>
    expect(
      seen(
        [DNA, DNA],
        false,
        wordPiece({ vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"] }) as never,
      ).warning(),
    ).toBeUndefined());
});
