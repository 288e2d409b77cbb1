// Published sets and several processes: presets, splits by row, ranks.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const LETTERS = "ACDEFGHIKLMNPQRSTVWY";
const protein = (i: number): string =>
  Array.from({ length: 6 + (i % 5) }, (_, k) => LETTERS[Math.floor(i / 20 ** (k % 4) + k * 7) % 20]).join("");
const table = (name: string, column: string, from: number, until: number): string => {
  const data = Array.from({ length: until - from }, (_, i) => protein(from + i));
  return write(
    name,
    new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: "id", data: data.map((_, i) => `id${from + i}`) },
          { name: column, data },
        ],
      }),
    ),
  );
};
table("omg-0.parquet", "sequence", 0, 20_500);
table("omg-1.parquet", "sequence", 20_500, 21_000);
table("u-test-0.parquet", "text", 0, 200);
table("u-train-0.parquet", "text", 200, 20_700);
table("u-validation-0.parquet", "text", 20_700, 21_000);
table("odd.parquet", "residues", 0, 10);
write(
  "uniref90.fasta.gz",
  gzipSync(Array.from({ length: 500 }, (_, i) => `>UniRef90_A${i} Protein n=1\n${protein(i)}\n`).join("")),
);
write("u.fasta", Array.from({ length: 900 }, (_, i) => `>UniRef50_A${i} Protein n=1\n${protein(i)}\n`).join(""));
write(
  "broken.fasta.gz",
  gzipSync(Array.from({ length: 500 }, (_, i) => `>a\n${protein(i)}\n`).join("")).subarray(0, 900),
);

async function mistake(argv: readonly string[], ...holds: readonly string[]): Promise<void> {
  const ran = await run("data", "prepare", ...argv);
  expect(ran).toMatchObject({ code: 2, out: "" });
  for (const text of holds) expect(ran.err).toContain(text);
}

describe("data prepare at scale", () => {
  test("a published set with its split, from files in any order", async () => {
    const omg = await run(
      "data",
      "prepare",
      "omg-0.parquet",
      "omg-1.parquet",
      "--preset",
      "omg_prot50",
      "--out",
      "omg",
      "--json",
    );
    expect(omg.json()).toMatchObject({
      splits: { train: { documents: 1000 }, valid: { documents: 10_000 }, test: { documents: 10_000 } },
    });
    const uniref = await run(
      "data",
      "prepare",
      "u-test-0.parquet",
      "u-train-0.parquet",
      "u-validation-0.parquet",
      "--preset",
      "uniref50_09012025",
      "--out",
      "u50",
      "--json",
    );
    expect(uniref.json()).toMatchObject({
      counts: { records: 21_000 },
      splits: { train: { documents: 1000 }, valid: { documents: 10_000 } },
    });
    expect((await run("data", "inspect", "omg/tokens.json")).out).toContain(
      "split by row: 20,000 held out, seeds 11, 22, 33",
    );
    const fasta = await run("data", "prepare", "uniref90.fasta.gz", "--preset", "uniref90", "--out", "u90", "--json");
    expect(fasta.json()).toMatchObject({ counts: { records: 500 } });
  }, 60_000);

  test("several ranks make the bytes of one process", async () => {
    expect((await run("data", "prepare", "u.fasta", "uniref90.fasta.gz", "--out", "one", "--json")).code).toBe(0);
    const first = await run(
      "data",
      "prepare",
      "u.fasta",
      "uniref90.fasta.gz",
      "--out",
      "two",
      "--rank",
      "1",
      "--world",
      "2",
    );
    expect(first.out).toBe("1 of 2 parts done. The others are with the other ranks: the last of them joins all.\n");
    expect(
      (
        await run(
          "data",
          "prepare",
          "u.fasta",
          "uniref90.fasta.gz",
          "--out",
          "two",
          "--rank",
          "0",
          "--world",
          "2",
          "--json",
        )
      ).json(),
    ).toMatchObject({ reused: false, counts: { records: 1400 } });
    const bytes = (out: string): unknown =>
      readdirSync(join(dir, out))
        .toSorted()
        .map((file) => [file, readFileSync(join(dir, out, file)).toString("base64")]);
    expect(bytes("two")).toEqual(bytes("one"));
  });

  test("sampled by clusters, which no split parts", async () => {
    write("map.tsv", Array.from({ length: 500 }, (_, i) => `P${i}\tUniRef90_A${i}\tUniRef50_C${i % 90}\n`).join(""));
    const ran = await run(
      "data",
      "prepare",
      "uniref90.fasta.gz",
      "--clusters",
      "map.tsv",
      "--no-header",
      "--cluster-fields",
      "3,2",
      "--valid",
      "0.2",
      "--out",
      "clustered",
    );
    expect(ran.out).toContain("90 clusters; 0 sequences of none, each its own\n");
    await mistake(
      ["uniref90.fasta.gz", "--clusters", "map.tsv", "--world", "2", "--out", "o"],
      "expected FASTA without filters and by one process with --clusters",
    );
    await mistake(
      ["uniref90.fasta.gz", "--clusters", "map.tsv", "--cluster-fields", "3", "--out", "o"],
      "expected two columns",
    );
  });

  test("says what is wrong", async () => {
    await mistake(["--preset", "bfd", "--out", "o"], "bfd is not on the Hub. Download it and name its files");
    await mistake(["--out", "o"], "expected the names of files, got none");
    await mistake(
      ["odd.parquet", "--preset", "omg_prot50", "--split", "content", "--out", "o"],
      "odd.parquet",
      'expected a field "sequence" with the text, got "id", "residues"',
    );
    await mistake(
      ["broken.fasta.gz", "--preset", "uniref50", "--out", "o"],
      "expected the end of the gzip data, got the end of the file: it is cut off",
    );
    await mistake(
      ["u.fasta", "--split", "published", "--valid", "0.1", "--out", "o"],
      "expected no --valid with the published split",
    );
    await mistake(
      ["u.fasta", "--split", "published", "--out", "o"],
      "expected more than the 20000 rows that are held out, got 900. Pass --split content",
    );
    await mistake(["u.fasta", "--rank", "1", "--out", "o"], "got --rank 1 and no --world");
    await mistake(["u.fasta", "--world", "2", "--dedup", "--out", "o"], "got dedup, for which all have to be seen");
    expect(existsSync(join(dir, "o"))).toBe(false);
  });
});
