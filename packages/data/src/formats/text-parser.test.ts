import { readFileSync } from "node:fs";
import { FormatError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import { CsvParser, type CsvOptions } from "./csv-parser.ts";
import { JsonlParser } from "./jsonl-parser.ts";
import { sentencesOf, type Row } from "./text-document.ts";
import { LineParser } from "./text-lines.ts";
import { TextParser, type TextOptions } from "./text-parser.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
interface Parser<T> {
  push(chunk: Uint8Array): readonly T[];
  finish(): readonly T[];
}

function all<T>(parser: Parser<T>, chunks: readonly Uint8Array[]): T[] {
  return [...chunks.flatMap((chunk) => parser.push(chunk)), ...parser.finish()];
}

/**
 * Parses the bytes whole, cut in two at every place, and byte by byte. The result must not depend on the chunks. A
 * chunk is a Buffer, as chunks of files are, and is overwritten after its push.
 */
function everyCut<T>(make: () => Parser<T>, whole: Uint8Array): T[] {
  const expected = all(make(), [whole]);
  const reused = (chunks: readonly Uint8Array[]): T[] => {
    const parser = make();
    const out: T[] = [];
    for (const chunk of chunks) {
      const own = Buffer.from(chunk);
      out.push(...parser.push(own));
      own.fill(0x51);
    }
    return [...out, ...parser.finish()];
  };
  for (let cut = 0; cut <= whole.length; cut++)
    expect(reused([whole.subarray(0, cut), whole.subarray(cut)])).toEqual(expected);
  expect(reused(Array.from(whole, (byte) => Uint8Array.of(byte)))).toEqual(expected);
  return expected;
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(FormatError.isInstance(error)).toBe(true);
    return (error as Error).message;
  }
  throw new RangeError("nothing was refused");
}

const golden = JSON.parse(readFileSync(new URL("../../test/golden/line-ends.json", import.meta.url), "utf8")) as {
  readonly lines: [string, string[]][];
  readonly tables: [string, string[][]][];
};

// tooling/golden/line-ends.py
describe("line ends", () => {
  it("are Python's universal newlines", () => {
    for (const [text, expected] of golden.lines)
      expect(
        everyCut(() => new LineParser(), bytes(text)),
        JSON.stringify(text),
      ).toEqual(expected);
  });

  it("of CSV end rows, and stay in quoted fields, as in pandas", () => {
    for (const [text, expected] of golden.tables)
      expect(
        everyCut(() => new CsvParser(), bytes(text)).map(({ values: { x, y } }) => [x, y]),
        JSON.stringify(text),
      ).toEqual(expected);
  });

  it.each(["\n", "\r\n", "\r"])("give the same documents, rows and places: %j", (end) => {
    const of = (text: string): Uint8Array => bytes(`\ufeff${text.replaceAll("\n", end)}`);
    expect(everyCut(() => new TextParser(), of("a\nb\n\nc"))).toEqual([
      { sentences: ["a", "b"], place: 1 },
      { sentences: ["c"], place: 4 },
    ]);
    expect(everyCut(() => new JsonlParser(), of('{"a":1}\n\n{"a":2}\n'))).toEqual([
      { values: { a: 1 }, place: 1 },
      { values: { a: 2 }, place: 3 },
    ]);
    expect(everyCut(() => new CsvParser({ delimiter: "\t" }), of("a\tb\n1\t2\n"))).toEqual([
      { values: { a: "1", b: "2" }, place: 2 },
    ]);
    expect(refusal(() => all(new CsvParser({ file: "f" }), [of('a\n"x\ny"\n"z')]))).toContain("f, line 4: ");
    expect(sentencesOf(`a${end}b${end}${end}c`)).toEqual(["a", "b", "c"]);
  });

  it.each([
    ["with a mark", "\ufeffid,text\n", false],
    ["with the other mark", "\ufeffid,text\n", true],
    ["without a mark", "id,text\n", false],
  ])("of UTF-16 are not looked for: it is refused %s", (_, text, swap) => {
    const wide = Buffer.from(text, "utf16le");
    if (swap) wide.swap16();
    for (const parser of [new TextParser(), new CsvParser(), new JsonlParser()])
      expect(refusal(() => all<unknown>(parser, [wide]))).toMatch(
        /expected UTF-8 text, got .* UTF-16; convert it with iconv/,
      );
  });
});

describe("LineParser", () => {
  const lines = (text: Uint8Array): string[] => everyCut(() => new LineParser(), text);

  it("ends lines with LF, CRLF and CR, and drops a byte-order mark at the beginning alone", () => {
    expect(lines(bytes("\ufeffa\r\n\nb\rc\n\ufeffd\n e "))).toEqual(["a", "", "b", "c", "\ufeffd", " e "]);
    expect(lines(bytes(""))).toEqual([]);
    expect(lines(bytes("\n"))).toEqual([""]);
  });

  it("reads invalid UTF-8 as U+FFFD and counts it, but not a U+FFFD that is there", () => {
    // A stray continuation byte, an overlong form (2), a cut sequence, a surrogate half (3), then a written U+FFFD
    // after a stray F0.
    const text = Uint8Array.of(
      0x61,
      0x80,
      0xc0,
      0xaf,
      0xe2,
      0x82,
      0x0a,
      0xed,
      0xa0,
      0x80,
      0xf0,
      0xef,
      0xbf,
      0xbd,
      0x62,
    );
    const parser = new LineParser();
    expect(all(parser, [text])).toEqual(["a\ufffd\ufffd\ufffd\ufffd", "\ufffd\ufffd\ufffd\ufffd\ufffdb"]);
    expect(parser.invalid).toBe(8);
    expect(lines(text)).toHaveLength(2);
    expect(all(parser, [bytes("\ufffd fine\n")])).toEqual(["\ufffd fine"]);
    expect(parser.invalid).toBe(8);
  });

  it("takes a line of many chunks, up to the limit, and refuses the next byte with its line", () => {
    const chunk = new Uint8Array(1 << 20).fill(0x61);
    const parser = new LineParser({ file: "f.txt" });
    parser.push(bytes("first\n"));
    for (let i = 0; i < 50; i++) expect(parser.push(chunk)).toEqual([]);
    expect(parser.push(bytes("b\nnext"))[0]?.length).toBe(50 * 2 ** 20 + 1);
    expect(
      refusal(() => {
        for (;;) parser.push(chunk);
      }),
    ).toBe(
      "f.txt, line 3: expected a line of at most 67108864 bytes, got more. Break the text into lines, or raise " +
        "the limit.",
    );
    expect(refusal(() => all(new LineParser({ file: "f", maxLine: 3 }), [bytes("abc\nabcd\n")]))).toMatch(
      /^f, line 2: expected a line of at most 3 bytes/,
    );
    expect(all(new LineParser({ maxLine: 3 }), [bytes("abc\ndef")])).toEqual(["abc", "def"]);
  });

  it.each([
    ["UTF-16", Uint8Array.of(0xff, 0xfe, 0x61, 0, 0x0a, 0), /UTF-16; convert it with iconv/],
    ["a PDF", bytes("%PDF-1.7\nx"), /a PDF/],
    ["a zip", bytes("PK\x03\x04\n"), /zip archive/],
    ["Parquet", bytes("PAR1\nPAR1"), /Parquet/],
  ])("refuses %s", (_, text, message) => {
    expect(refusal(() => all(new LineParser({ file: "f" }), [text]))).toMatch(message);
  });
});

describe("TextParser", () => {
  const documents = (text: string, options: TextOptions = {}): (readonly string[])[] =>
    everyCut(() => new TextParser(options), bytes(text)).map((d) => d.sentences);

  it("ends documents at blank lines", () => {
    expect(documents("\n \nOne.\r\n two. \n\t\n\n\nThree.")).toEqual([["One.", "two."], ["Three."]]);
    expect(documents("")).toEqual([]);
    expect(everyCut(() => new TextParser(), bytes("\n\na\nb\n\nc\n")).map((d) => d.place)).toEqual([3, 6]);
  });

  it("or takes a line, or the file, for a document", () => {
    expect(documents("a\n\nb\n", { documents: "line" })).toEqual([["a"], ["b"]]);
    expect(documents("a\n\nb\n", { documents: "file" })).toEqual([["a", "b"]]);
  });

  it("counts", () => {
    const parser = new TextParser();
    all(parser, [bytes("One.\ntwo.\n\nThré"), Uint8Array.of(0xff)]);
    expect(parser.report).toEqual({
      records: 2,
      empty: 0,
      sentences: 3,
      characters: 13,
      longest: 8,
      invalid: 1,
      bytes: 17,
    });
  });

  it("refuses a document above the limit, and says where it began", () => {
    expect(refusal(() => all(new TextParser({ file: "f", maxRecord: 5 }), [bytes("abc\n\nabc\nabc\n")]))).toMatch(
      /^f, line 3: expected a document of at most 5 characters, got more\. Is it one document a line\? Then read it by line/,
    );
    expect(
      refusal(() => all(new TextParser({ file: "f", maxRecord: 5, documents: "file" }), [bytes("abc\nabc\n")])),
    ).toMatch(/Read it by blank lines/);
  });
});

describe("JsonlParser", () => {
  it("reads objects, a line each", () => {
    expect(everyCut(() => new JsonlParser(), bytes('{"text":"é\\n\\ud83d\\ude00"}\r\n\n {"a":[1,{}]} '))).toEqual([
      { values: { text: "é\n😀" }, place: 1 },
      { values: { a: [1, {}] }, place: 3 },
    ]);
  });

  it.each([
    [
      "a broken line",
      '{"text": 1}\n{"text": "a',
      /^f, line 2: expected a JSON object, got \{"text": "a \(.+\)\. Is the line whole\?$/,
    ],
    ["JSON over several lines", "[\n{}\n]", /^f, line 1: .*is this JSON and not JSONL\?$/],
    ["no object", "{}\n\n3\n", /^f, line 3: expected a JSON object such as \{"text": "…"\}, got 3\. /],
    ["a list", "[1]\n", /^f, line 1: expected a JSON object/],
    [
      "text",
      "Once upon a time, in a land that was far away, there lived\n",
      /^f, line 1: expected a JSON object, got Once upon a time, in a land that was far… \(/,
    ],
  ])("refuses %s", (_, text, message) => {
    expect(refusal(() => all(new JsonlParser({ file: "f" }), [bytes(text)]))).toMatch(message);
  });
});

describe("CsvParser", () => {
  const rows = (text: string, options: CsvOptions = {}): Row["values"][] =>
    everyCut(() => new CsvParser(options), bytes(text)).map((row) => row.values);

  it("reads quotes as RFC 4180 says", () => {
    expect(rows('id,text\r\n1,"a, ""b""\r\n\r\nc"\r\n\r\n2,\n3,""\n"4","""",\n'.replace('"""",', '""""'))).toEqual([
      { id: "1", text: 'a, "b"\r\n\r\nc' },
      { id: "2", text: "" },
      { id: "3", text: "" },
      { id: "4", text: '"' },
    ]);
    expect(rows('a,b\n5" pipe,say "x"\n')).toEqual([{ a: '5" pipe', b: 'say "x"' }]);
    expect(rows('"a"\n"x\n"')).toEqual([{ a: "x\n" }]);
  });

  it("names columns by the header, or by number", () => {
    expect(rows("a,b\n1,2\n", { header: false })).toEqual([
      { 1: "a", 2: "b" },
      { 1: "1", 2: "2" },
    ]);
    expect(rows(",b\n1,2\n")).toEqual([{ 1: "1", b: "2" }]);
    expect(rows('a b\tc\n"1\t2"\t3\n', { delimiter: "\t" })).toEqual([{ "a b": "1\t2", c: "3" }]);
    expect(rows('a\tb\n"1\t2"\n', { delimiter: "\t", quotes: false })).toEqual([{ a: '"1', b: '2"' }]);
    expect(everyCut(() => new CsvParser(), bytes('a\n"x\ny"\nz\n')).map((row) => row.place)).toEqual([2, 4]);
  });

  it("gives back what another program wrote, for any fields", () => {
    const alphabet = ['"', ",", "\n", "a", "é", " ", "\t", '""', "x y", ""];
    let state = 7;
    const draw = (below: number): number => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % 65_521) % below;
    for (let round = 0; round < 300; round++) {
      const table = Array.from({ length: 1 + draw(4) }, () =>
        Array.from({ length: 3 }, () =>
          Array.from({ length: draw(5) }, () => alphabet[draw(alphabet.length)]).join(""),
        ),
      );
      const quote = (field: string): string =>
        /[",\n]/.test(field) || draw(3) === 0 ? `"${field.replaceAll('"', '""')}"` : field;
      const text = table.map((fields) => fields.map(quote).join(",")).join(draw(2) === 0 ? "\n" : "\r\n");
      expect(
        all(new CsvParser({ header: false }), [bytes(text)]).map((row) => [
          row.values["1"],
          row.values["2"],
          row.values["3"],
        ]),
      ).toEqual(table);
    }
  });

  it.each([
    [
      "a quote that never closes",
      'a,b\n1,"x\n2,y\n3,z\n',
      /^f\.csv, line 2: expected the quote that opens here to be closed, got the end of the file\. Double a quote that is part of a quoted text \(""\), or read the file without quotes\.$/,
    ],
    [
      "text after a closing quote",
      'a,b\n1,"x"y\n',
      /^f\.csv, line 2: expected "," or the end of the line after a closing quote, got "y"\./,
    ],
    [
      "text after a closing quote, lines later",
      'a,b\n1,"x\ny"z,\n',
      /^f\.csv, line 3: .*got "z," \(the quote opens in line 2\)/,
    ],
    [
      "too few fields",
      "a,b\n1,2\n\n3\n",
      /^f\.csv, line 4: expected 2 fields, as in the first row, got 1\. Is a delimiter \(","\)/,
    ],
    ["too many fields", "a,b\n1,2,3\n", /^f\.csv, line 2: expected 2 fields, as in the first row, got 3/],
    ["a name twice", "a,b,a\n1,2,3\n", /^f\.csv, line 1: expected a header with each name once, got "a" twice/],
  ])("refuses %s", (_, text, message) => {
    expect(refusal(() => all(new CsvParser({ file: "f.csv" }), [bytes(text)]))).toMatch(message);
  });

  it("does not wait for the end of the file with a quote that never closes", () => {
    const parser = new CsvParser({ file: "f", maxRecord: 1000 });
    parser.push(bytes('a\n"begins\n'));
    expect(
      refusal(() => {
        for (let i = 0; i < 1000; i++) parser.push(bytes("a line of text\n"));
      }),
    ).toMatch(
      /^f, line 2: expected a quoted field of at most 1000 characters, got more: is the quote that opens here ever closed\?/,
    );
  });
});

describe("sentencesOf", () => {
  it("splits at line ends", () => {
    expect(sentencesOf(" a b \r\n\n c")).toEqual(["a b", "c"]);
    expect(sentencesOf(" \t")).toEqual([]);
  });
});
