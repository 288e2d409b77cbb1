// Numbers and dates that are only carried keep every digit. Oracles: Apache Arrow's cast to string, str() of numpy, and
// pandas' JSON Lines (tooling/golden/carried-values.py).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NumberText, finiteNumber, parseRowJson, rowJson, type Row } from "../src/index.ts";
import { readRows, resolveSources, type DataSource } from "../src/node.ts";
import { scratch } from "./files.ts";

const GOLDEN = join(import.meta.dirname, "golden");
const { write } = scratch();

async function rowsOf(file: string): Promise<readonly Row[]> {
  const [source] = await resolveSources([file]);
  const rows: Row[] = [];
  for await (const batch of readRows(source as DataSource)) rows.push(...batch);
  return rows;
}

/** A value with its numbers as texts. */
function texts(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(texts);
  if (typeof value !== "object" || value instanceof NumberText) return String(value);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, texts(each)]));
}

describe("values of Parquet", () => {
  const expected = JSON.parse(readFileSync(join(GOLDEN, "values.json"), "utf8")) as Record<string, unknown[]>;

  it.each(["values-plain.parquet", "values-dictionary.parquet"])("have the texts of Arrow: %s", async (name) => {
    const rows = await rowsOf(join(GOLDEN, name));
    expect(rows).toHaveLength(3);
    for (const [column, wanted] of Object.entries(expected)) {
      // INT96 holds nanoseconds, whatever the unit of the table was, and no time zone.
      const isInt96 = column.startsWith("stamp_") && name === "values-dictionary.parquet";
      const all = isInt96 ? wanted.map((each) => (each === null ? null : inNanoseconds(String(each)))) : wanted;
      expect(
        rows.map(({ values }) => texts(values[column])),
        column,
      ).toEqual(all);
    }
  });

  it("are ordinary numbers where a double has the same text", async () => {
    const [row] = await rowsOf(join(GOLDEN, "values-plain.parquet"));
    expect(row?.values).toMatchObject({ int32: -2147483648, uint64: 0, float64: 0.1, float32: 0.1, bool: true });
    expect(row?.values["int64"]).toBeInstanceOf(NumberText);
  });
});

const inNanoseconds = (text: string): string => {
  const [whole = "", fraction = ""] = text.replace("Z", "").split(".");
  return `${whole}.${fraction.padEnd(9, "0")}`;
};

describe("JSON of rows", () => {
  it("reads and writes what pandas writes without a changed digit", async () => {
    const file = join(GOLDEN, "values.jsonl");
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect((await rowsOf(file)).map(({ values }) => rowJson(values))).toEqual(lines);
  });

  it.each([
    '{"id":1234567890123456789,"a":[1.0,1e3,-0,0.10],"b":{"c":12345678901234567890.5},"d":"1.0","e":null,"f":true}',
    '{"text":"says \\"12.50\\" and \\\\","n":-1.50}',
    '{"a":1E+400,"a\\u00e9":1.0,"":1.0}',
    '{"__proto__":1.0,"b":[[],{}]}',
    '{"a":1,"b":[2.5,"3.0"]}',
  ])("keeps %s", (line) => {
    expect(rowJson(parseRowJson(line))).toBe(line.replace("a\\u00e9", "aé"));
    // Apart from its numbers the value is that of JSON.parse.
    const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value), (_, each: unknown) => each);
    expect(Object.keys(parseRowJson(line) as object)).toEqual(Object.keys(plain(JSON.parse(line)) as object));
  });

  it("gives ordinary numbers where nothing is lost, and loses nothing in JSON.stringify", () => {
    expect(parseRowJson('{"a": 1, "b": [0.5, 1e-7], "c": " 1.0"}')).toEqual({ a: 1, b: [0.5, 1e-7], c: " 1.0" });
    expect(JSON.stringify(parseRowJson("[9007199254740993]"))).toBe('["9007199254740993"]');
    expect(rowJson([NaN, Infinity, 5n, undefined, new Date(0)])).toBe('[null,null,5,null,"1970-01-01T00:00:00.000Z"]');
  });

  it("names the line of what is not JSON, NaN included", async () => {
    await expect(rowsOf(write("nan.jsonl", '{"a": 1.0}\n{"a": NaN}\n'))).rejects.toThrow(
      /nan\.jsonl, line 2: expected/,
    );
  });

  it("reads numbers from texts and numbers alike", () => {
    expect([1, "1.50", new NumberText("1e3"), "", "x", NaN, null, true, undefined].map(finiteNumber)).toEqual([
      1,
      1.5,
      1000,
      ...Array.from({ length: 6 }, () => undefined),
    ]);
  });
});

describe("the search for numbers", () => {
  it("finds every number that a double does not give back", () => {
    const digits = ["0", "1", "9", "00", "10", "123456789012345", "999999999999999", "4503599627370497"];
    const fractions = ["", ".0", ".5", ".50", ".05", ".000001", ".0000001", ".10", ".123456789012345"];
    for (const whole of digits.filter((each) => each !== "00"))
      for (const fraction of fractions)
        for (const exponent of ["", "e0", "E5", "e-7", "e+21"])
          for (const sign of ["", "-"]) {
            const number = `${sign}${whole}${fraction}${exponent}`;
            for (const text of [`{"a": ${number}}`, `[${number}]`, `[1,\n${number} ]`, number])
              expect(rowJson(parseRowJson(text)), text).toBe(text.replace(/\s/g, "").replace('"a":', '"a":'));
          }
  });
});
