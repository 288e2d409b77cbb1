// Tables that Python wrote: Parquet by Apache Arrow in all its codecs, CSV and TSV by the csv module.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readDocuments, readRows, resolveSources, type DataSource } from "../src/node.ts";
import { sentencesOf } from "../src/index.ts";

interface GoldenRow {
  readonly id: number;
  readonly text: string | null;
  readonly sentences: readonly string[];
}

const path = (name: string): string => fileURLToPath(new URL(`golden/${name}`, import.meta.url));
const rows = JSON.parse(readFileSync(path("rows.json"), "utf8")) as readonly GoldenRow[];
const open = async (name: string): Promise<DataSource> => (await resolveSources([path(name)]))[0] as DataSource;

async function valuesOf(name: string): Promise<Readonly<Record<string, unknown>>[]> {
  const all: Readonly<Record<string, unknown>>[] = [];
  for await (const batch of readRows(await open(name))) all.push(...batch.map(({ values }) => values));
  return all;
}

describe.each(["none", "snappy", "gzip", "brotli", "zstd", "lz4"])("%s.parquet", (codec) => {
  it("holds its rows, nulls and lists among them", async () => {
    expect(
      (await valuesOf(`${codec}.parquet`)).map(({ id, text, sentences }) => ({
        id: Number(id),
        text: text ?? null,
        sentences,
      })),
    ).toEqual(rows);
  });

  it("is read as documents, by the text and by the list", async () => {
    for (const field of ["text", "sentences"] as const) {
      const reader = readDocuments(await open(`${codec}.parquet`), { field });
      const found: (readonly string[])[] = [];
      for await (const { sentences } of reader.documents()) found.push(sentences);
      expect(found).toEqual(rows.map((row) => [row[field] ?? []].flat().flatMap(sentencesOf)));
      expect(reader.report.empty).toBe(found.filter((sentences) => sentences.length === 0).length);
    }
  });
});

describe.each(["table.csv", "table.tsv"])("%s", (name) => {
  it("holds its rows", async () => {
    expect(
      (await valuesOf(name)).map(({ id, text, sentences }) => ({
        id: Number(id),
        text,
        sentences: JSON.parse(String(sentences)) as unknown,
      })),
    ).toEqual(rows.map((row) => ({ ...row, text: row.text ?? "" })));
  });
});
