/**
 * What a visitor may open or paste by mistake, and what to do then. The parsers report what breaks their format; here
 * is what is no text at all, or is text of another kind.
 */
import { ConfigError, FormatError } from "@cloze/errors";
import type { Side } from "../protocol.ts";

/** First bytes of files that hold no plain text, what they are, and the next step. */
const KINDS: readonly (readonly [start: string, what: string, next: string])[] = [
  ["%PDF", "a PDF", "Copy its text and paste it, or save it as plain text."],
  [
    "PK\u0003\u0004",
    "a zip archive (or a .docx, .xlsx or .odt)",
    'A run of this page is opened by "Open a downloaded run". Otherwise unpack it, or save it as plain text.',
  ],
  ["PAR1", "a Parquet file", "Write its text or its sequences to a plain file."],
  ["BZh", "bzip2 data", "Unpack it, or pack it with gzip."],
  ["\u00fd7zXZ", "xz data", "Unpack it, or pack it with gzip."],
  ["\u0028\u00b5\u002f\u00fd", "zstd data", "Unpack it, or pack it with gzip."],
  ["7z\u00bc\u00af", "a 7z archive", "Unpack it, and open what comes out."],
  ["Rar!", "a RAR archive", "Unpack it, and open what comes out."],
  ["\u001f\u008b", "gzip data inside gzip data", "Unpack it once, and open what comes out."],
  ["\u0089PNG", "a picture", "Open a file of text."],
  ["\u00ff\u00d8\u00ff", "a picture", "Open a file of text."],
  ["GIF8", "a picture", "Open a file of text."],
  ["{\\rtf", "rich text (RTF)", "Save it as plain text."],
  ["\u00ff\u00fe", "text in UTF-16", "Save it in UTF-8."],
  ["\u00fe\u00ff", "text in UTF-16", "Save it in UTF-8."],
];
const LOOKED_AT = 100_000;
/** Number of nucleotides from which a set of sequences of only these letters is DNA or RNA, not protein. */
const FEWEST_NUCLEOTIDES = 20;

const WANTED: Readonly<Record<Side, string>> = { protein: "proteins in FASTA", text: "plain text" };

/** Throws FormatError or ConfigError, with the next step, for bytes that are not what the side of the page takes. */
export function checkSource(side: Side, name: string, bytes: Uint8Array): void {
  const latin = new TextDecoder("latin1").decode(bytes.subarray(0, LOOKED_AT));
  const wrong = (got: string, next: string): never => {
    throw new FormatError(name, "", `expected ${WANTED[side]}, got ${got}. ${next}`);
  };
  const known = KINDS.find(([start]) => startsWithBytes(bytes, start));
  if (known !== undefined) wrong(known[1], known[2]);
  if (bytes.subarray(0, 4096).includes(0)) wrong("binary data", "Open a file of text.");
  if (latin.trim() === "")
    wrong(
      bytes.length === 0 ? "nothing: it is empty" : "only blanks",
      "Choose another file, paste something, or use the sample.",
    );
  if (side === "protein") {
    const letters = residuesOf(latin);
    if (letters.length >= FEWEST_NUCLEOTIDES && /^[ACGTUN]+$/i.test(letters))
      throw new ConfigError(
        `${name}: expected proteins, got DNA or RNA: there is no letter but ${[...new Set(letters.toUpperCase())]
          .sort()
          .join(", ")}. Translate the sequences into proteins first.`,
      );
  } else if (/^\s*>[^\n]*\r?\n[A-Z*\-.\s]{10,}/.test(latin))
    throw new ConfigError(
      `${name}: expected text, got FASTA: sequences with a line ">name" before each. Open it on the side "Proteins".`,
    );
  else if (/^\s*(<!doctype html|<html|<\?xml)/i.test(latin))
    wrong("a web page or XML", "Copy the text that the page shows, and paste it.");
}

/** The letters of FASTA's sequence lines. */
const residuesOf = (text: string): string =>
  text
    .split(/\r\n?|\n/)
    .filter((line) => !line.startsWith(">"))
    .join("")
    .replace(/[\s*.-]/g, "");

const startsWithBytes = (bytes: Uint8Array, start: string): boolean =>
  Array.from(start).every((char, i) => bytes[i] === char.charCodeAt(0));
