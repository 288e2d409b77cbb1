/**
 * Files that a visitor may open by mistake. Oracle: the first bytes that the format's specification gives (PDF 32000-1
 * section 7.5.2, APPNOTE 6.3.10 section 4.3.7, RFC 8878 section 3.1.1, RFC 1952 section 2.3.1, PNG section 5.2), and
 * the alphabets of IUPAC.
 */
import { describe, expect, it } from "vitest";
import { checkSource } from "./source-check.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const PROTEINS = ">a protein\nMKTAYIAKQRQISFVKSHFSRQ\n>another\nMKKLLPTAAAGLLLLAAQPAMA\n";

describe("what a visitor opens", () => {
  it("may be proteins or text", () => {
    checkSource("protein", "a.fasta", ascii(PROTEINS));
    checkSource("protein", "a.fasta", ascii("\ufeff" + PROTEINS.replace(/\n/g, "\r\n").toLowerCase()));
    // A short peptide of letters that are nucleotides too.
    checkSource("protein", "a.fasta", ascii(">a\nGATTACA\n"));
    checkSource("text", "a.txt", ascii("It is a truth universally acknowledged.\n\n> A quotation, in lower case.\n"));
    checkSource("text", "a.txt", ascii("Ein Satz über Größe.\nNoch ein Satz: 你好."));
  });

  it.each([
    ["a PDF", ascii("%PDF-1.7")],
    ["a zip archive", Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0)],
    ["a picture", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10)],
    ["zstd data", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 4)],
    ["xz data", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)],
    ["gzip data inside gzip data", Uint8Array.of(0x1f, 0x8b, 8)],
    ["text in UTF-16", Uint8Array.of(0xff, 0xfe, 0x3e, 0, 0x61, 0)],
    ["binary data", Uint8Array.of(65, 66, 0, 67)],
    ["nothing: it is empty", new Uint8Array(0)],
    ["only blanks", ascii("\n \t\r\n")],
  ])("is named where it is %s", (what, bytes) => {
    for (const side of ["protein", "text"] as const)
      expect(() => checkSource(side, "mine.bin", bytes)).toThrow(
        `mine.bin: expected ${side === "protein" ? "proteins in FASTA" : "plain text"}, got ${what}`,
      );
  });

  it("is DNA or RNA where there is no other letter", () => {
    for (const dna of ["ACGTACGTTTGGCCAACGTNNA", "acguacguuuggccaacgua", "ACGTACGTTT\r\nGGCC-AACGTT"])
      expect(() => checkSource("protein", "reads.fa", ascii(`>a\n${dna}\n`))).toThrow(
        /reads\.fa: expected proteins, got DNA or RNA.*Translate/,
      );
  });

  it("is on the wrong side where FASTA is opened as text, or a web page", () => {
    expect(() => checkSource("text", "a.fasta", ascii(PROTEINS))).toThrow('Open it on the side "Proteins"');
    expect(() => checkSource("text", "a.html", ascii("<!DOCTYPE html><p>text</p>"))).toThrow("a web page or XML");
  });
});
