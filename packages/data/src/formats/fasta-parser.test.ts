import { FormatError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import { FastaParser, type FastaBatch, type FastaOptions, type FastaReport } from "./fasta-parser.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

type Records = [header: string, sequence: string][];

function parse(chunks: readonly Uint8Array[], options: FastaOptions = {}): { records: Records; report: FastaReport } {
  const parser = new FastaParser(options);
  const records: Records = [];
  const take = (batch: ReturnType<FastaParser["push"]>): void => {
    for (let i = 0; i < batch.count; i++) records.push([batch.header(i), new TextDecoder().decode(batch.sequence(i))]);
  };
  for (const chunk of chunks) take(parser.push(chunk));
  take(parser.finish());
  return { records, report: parser.report };
}

/** The records of a file, found by a simple parser of lines and strings. */
function oracle(text: string): Records {
  const records: Records = [];
  for (const line of text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/)) {
    if (line.startsWith(";")) continue;
    if (line.startsWith(">")) records.push([line.slice(1), ""]);
    else (records.at(-1) ?? ["", ""])[1] += line.replace(/\s/g, "");
  }
  return records;
}

const NASTY: Readonly<Record<string, string>> = {
  plain: ">a\nMKT\n>b c\nAYI\n",
  "no final line end": ">a\nMKT\nAYI",
  crlf: ">a\r\nMKT\r\nAYI\r\n\r\n>b\r\nG\r\n",
  "old mac line ends": ">a\rMKT\rAYI\r>b\rG\r",
  "empty records": ">a\n>b\n\n\n>c\nM\n>d",
  "bare headers": ">\nMK\n>\n>\n",
  "only a header mark": ">",
  "blank lines and spaces": "\n \n>a  \n M K\tT \n\n  \n\nAYI\n \n>b\n\n",
  comments: "; first\n>a\nMK\n; between é\nT\n;last\n>b\n;\nAY;I\n",
  "byte-order mark": "\ufeff>a\nMKT\n",
  "mark inside a line": ">a > b\nMK>T\n>>c\nAY\n",
  "lower case, stops, gaps": ">a\nmk*t-A.Y\n>b\nMKT*\n",
  "unicode header": ">sp|P1|é 蛋白 \u0001 more\nMKT\n",
  "long header": `>${"h".repeat(5000)}\nMKT\n>${"i".repeat(3000)}\nA\n`,
  "many records": Array.from({ length: 300 }, (_, i) => `>r${i}\n${"ACDE".repeat(i % 7)}\n`).join(""),
};

describe("FastaParser", () => {
  it.each(Object.entries(NASTY))("reads %s, cut in two anywhere", (_, text) => {
    const whole = bytes(text);
    const expected = oracle(text);
    const step = whole.length > 2000 ? 37 : 1;
    for (let cut = 0; cut <= whole.length; cut += step) {
      expect(parse([whole.slice(0, cut), whole.slice(cut)]).records).toEqual(expected);
    }
    expect(parse(Array.from(whole, (byte) => Uint8Array.of(byte))).records).toEqual(expected);
    expect(parse([whole], { headers: false }).records).toEqual(expected.map(([, sequence]) => ["", sequence]));
  });

  it("counts what it meets, however the chunks fall", () => {
    const whole = bytes("; note\n>a\nMKT\n>b\n>\nAYIA\n>\n\n");
    const expected = { records: 4, residues: 7, empty: 2, unnamed: 2, comments: 1, longest: 4, bytes: whole.length };
    for (let cut = 0; cut <= whole.length; cut++)
      expect(parse([whole.slice(0, cut), whole.slice(cut)]).report).toEqual(expected);
  });

  it("reads nothing from nothing", () => {
    expect(parse([]).records).toEqual([]);
    expect(parse([bytes(" \n\n")]).report.records).toBe(0);
  });

  it("grows for long records and forgets them", () => {
    const long = "ACDEFGHIKL".repeat(300_000);
    const { records } = parse([
      bytes(">long\n"),
      ...Array.from({ length: 30 }, (_, i) => bytes(long.slice(i * 100_000, (i + 1) * 100_000))),
      bytes("\n>s\nM\n"),
      bytes(">t\nK\n"),
    ]);
    expect(records.map(([header, sequence]) => [header, sequence.length])).toEqual([
      ["long", 3_000_000],
      ["s", 1],
      ["t", 1],
    ]);
    expect(records[0]?.[1]).toBe(long);
  });

  it.each([
    [
      "text before the first record",
      "\n\nMKT\n>a\nMKT\n",
      /f\.fasta, line 3: expected a '>' header line before any text, got "MKT"/,
    ],
    ["a PDF", "%PDF-1.7\n%\u00e2\n", /line 1: .*looks like a PDF/],
    ["FASTQ", "@read1\nACGT\n+\nIIII\n", /looks like FASTQ/],
    ["bytes that are no text", ">a\nMKT\u0000AY", /record 1 \(a\): expected letters, got the byte 0x00 at byte 6/],
    ["letters beyond ASCII", ">a\nMKé\n", /record 1 \(a\): .* 0xc3/],
  ])("refuses %s", (_, text, message) => {
    for (const chunks of [[bytes(text)], Array.from(bytes(text), (byte) => Uint8Array.of(byte))]) {
      let thrown: unknown;
      try {
        parse(chunks, { file: "f.fasta" });
      } catch (error) {
        thrown = error;
      }
      expect(FormatError.isInstance(thrown)).toBe(true);
      if (chunks.length === 1) expect(String(thrown)).toMatch(message);
    }
  });

  it("refuses a record above the limit, and names it", () => {
    expect(() => parse([bytes(">first\nMKT\n>second one\nMKTA\nYIAK\n")], { file: "f", maxRecord: 7 })).toThrow(
      /f, record 2 \(second one\): expected at most 7 residues/,
    );
    expect(parse([bytes(">a\nMKTAYIA\n")], { maxRecord: 7 }).report.longest).toBe(7);
  });

  it("refuses a header without end", () => {
    const parser = new FastaParser({ file: "f" });
    const chunk = bytes(`>${"x".repeat(700_000)}`);
    parser.push(chunk);
    expect(() => parser.push(chunk)).toThrow(/header line of at most 1048576 bytes/);
  });
});

describe("FASTA of other line ends and encodings", () => {
  const parse = (text: Uint8Array): string[] => {
    const parser = new FastaParser({ file: "f" });
    const of = (batch: FastaBatch): string[] =>
      Array.from(
        { length: batch.count },
        (_, i) => `${batch.header(i)}=${new TextDecoder().decode(batch.sequence(i))}`,
      );
    return [...of(parser.push(text)), ...of(parser.finish())];
  };

  it.each(["\n", "\r\n", "\r"])("reads the same records: %j", (end) => {
    const text = ["\ufeff;note", ">a b", "MK", "T", ";note", "", ">c", "AA"].join(end);
    expect(parse(new TextEncoder().encode(text))).toEqual(["a b=MKT", "c=AA"]);
    expect(parse(new TextEncoder().encode(`>a${end}MK\n>b\rT\r\n`))).toEqual(["a=MK", "b=T"]);
    expect(() => parse(new TextEncoder().encode(`${end}${end}MKT${end}>a`))).toThrow(/^f, line 3: expected a '>'/);
  });

  it("refuses UTF-16 with the way to convert it", () => {
    for (const mark of ["\ufeff", ""])
      expect(() => parse(Buffer.from(`${mark}>a\nMK\n`, "utf16le"))).toThrow(
        /UTF-16; convert it with iconv|expected letters/,
      );
    expect(() => parse(Buffer.from("\ufeff>a\nMK\n", "utf16le"))).toThrow(/UTF-16; convert it with iconv/);
  });
});
