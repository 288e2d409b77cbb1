// Several layers of `embed` in one pass, and tables of text. The oracle is transformers: the hidden states of
// EsmForMaskedLM with output_hidden_states, in a golden of tooling/golden/esm2.py.
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toFloat32 } from "@cloze/checkpoint";
import { readSafetensors, writeSafetensors } from "@cloze/checkpoint/node";
import { CsvParser, type Row } from "@cloze/data";
import { esm2 } from "@cloze/tokenizer-protein";
import { tensorSources } from "@cloze/trainer";
import { parquetReadObjects } from "hyparquet";
import { beforeAll, describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();

interface Encoded {
  readonly shape: readonly number[];
  readonly data: string;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../packages/models/test/golden/esm2-head20.json", import.meta.url), "utf8"),
) as {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: Readonly<Record<string, Encoded>>;
  readonly ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
  readonly hidden_states: readonly Encoded[];
};
const HIDDEN = 40;
const bytesOf = ({ data }: Encoded): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(data, "base64"));
const states = golden.hidden_states.map((each) => new Float32Array(bytesOf(each).buffer));
const seq = golden.ids[0]?.length ?? 0;
const tokenizer = esm2();
/** The tokens of each row between the first and the last. */
const inner = golden.ids.map((row, r) =>
  row.slice(1, (golden.attention_mask[r] ?? []).filter((x) => x === 1).length - 1),
);
const names = ["a,b", 'say"x', "plain"];

/** transformers' states of a layer: a row for each token of sequence `r`. */
const rowsOf = (layer: number, r: number): readonly number[][] =>
  (inner[r] ?? []).map((_, i) => {
    const at = (r * seq + i + 1) * HIDDEN;
    return [...(states[layer] as Float32Array).subarray(at, at + HIDDEN)];
  });
const meanOf = (rows: readonly (readonly number[])[]): number[] =>
  Array.from({ length: HIDDEN }, (_, c) => rows.reduce((sum, row) => sum + (row[c] as number), 0) / rows.length);

function close(a: ArrayLike<number>, b: ArrayLike<number>): void {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs((a[i] as number) - (b[i] as number))).toBeLessThan(2e-5);
}

beforeAll(async () => {
  await mkdir(join(dir, "model"));
  const weights = Object.fromEntries(
    Object.entries(golden.weights).map(([name, each]) => [
      name,
      { dtype: "f32" as const, shape: each.shape, data: toFloat32("F16", bytesOf(each)) },
    ]),
  );
  await writeSafetensors(join(dir, "model/model.safetensors"), tensorSources(weights));
  await writeFile(join(dir, "model/config.json"), JSON.stringify(golden.config));
  for (const [file, text] of Object.entries(tokenizer.files())) await writeFile(join(dir, "model", file), text);
  write(
    "p.fasta",
    inner.map((row, r) => `>${names[r]}\n${row.map((id) => tokenizer.vocabulary[id]).join("")}\n`).join(""),
  );
});

const embed = (out: string, ...more: readonly string[]): ReturnType<typeof run> =>
  run("embed", "p.fasta", "--checkpoint", "model", "--backend", "reference", "--out", out, ...more);

/** The rows of a table, its header among them. */
async function table(file: string): Promise<readonly (readonly string[])[]> {
  const parser = new CsvParser({ file, delimiter: file.endsWith(".tsv") ? "\t" : ",", header: false, quotes: true });
  const rows: Row[] = [...parser.push(await readFile(join(dir, file))), ...parser.finish()];
  return rows.map(({ values }) => Object.values(values) as string[]);
}

describe.each([
  ["--layer 1,-1", ["--layer", "1,-1"]],
  ["--layer 1 --layer 3", ["--layer", "1", "--layer", "3"]],
])("%s: transformers' hidden states", (_, option) => {
  test("safetensors, pooled and per token", async () => {
    expect((await embed("v.safetensors", ...option)).code).toBe(0);
    const { tensors, metadata } = await readSafetensors(join(dir, "v.safetensors"));
    expect([...tensors.keys()].toSorted()).toEqual(["embeddings.layer_1", "embeddings.layer_3"]);
    expect(JSON.parse(metadata["ids"] ?? "")).toEqual(names);
    for (const layer of [1, 3]) {
      const found = tensors.get(`embeddings.layer_${layer}`);
      expect(found?.shape).toEqual([3, HIDDEN]);
      close(
        toFloat32("F32", found?.data ?? new Uint8Array()),
        inner.flatMap((__, r) => meanOf(rowsOf(layer, r))),
      );
    }
    await embed("t.safetensors", ...option, "--pooling", "per-token");
    const each = (await readSafetensors(join(dir, "t.safetensors"))).tensors;
    expect(each.size).toBe(6);
    for (const layer of [1, 3])
      for (const [r, name] of names.entries())
        close(toFloat32("F32", each.get(`layer_${layer}/${name}`)?.data ?? new Uint8Array()), rowsOf(layer, r).flat());
  });

  test(".npy: rows, layers, hidden", async () => {
    await embed("v.npy", ...option, "--pooling", "per-token");
    const bytes = await readFile(join(dir, "v.npy"));
    const total = inner.reduce((sum, { length }) => sum + length, 0);
    expect(bytes.subarray(10, 128).toString()).toContain(`'shape': (${total}, 2, ${HIDDEN}), }`);
    const data = new Float32Array(Uint8Array.from(bytes.subarray(10 + bytes.readUInt16LE(8))).buffer);
    const expected = inner.flatMap((row, r) =>
      row.flatMap((__, i) => [1, 3].flatMap((layer) => rowsOf(layer, r)[i] ?? [])),
    );
    close(data, expected);
    expect((await readFile(join(dir, "v.npy.ids.txt"), "utf8")).split("\n").length).toBe(total + 1);
  });

  test("Parquet: a column for each layer", async () => {
    await embed("v.parquet", ...option);
    const file = await readFile(join(dir, "v.parquet"));
    const rows = await parquetReadObjects({ file: file.buffer.slice(file.byteOffset, file.byteOffset + file.length) });
    expect(Object.keys(rows[0] ?? {})).toEqual(["id", "length", "embedding_layer_1", "embedding_layer_3"]);
    for (const [r, row] of rows.entries())
      for (const layer of [1, 3]) close(row[`embedding_layer_${layer}`] as number[], meanOf(rowsOf(layer, r)));
  });

  test.each(["v.csv", "v.tsv"])("%s: wide, with a header", async (file) => {
    const ran = await embed(file, ...option, "--json");
    expect(ran.json()).toMatchObject({ layers: [1, 3], hidden: HIDDEN, format: file.slice(2) });
    const [header, ...rows] = await table(file);
    const columns = [1, 3].flatMap((layer) => Array.from({ length: HIDDEN }, (__, i) => `layer_${layer}_dim_${i}`));
    expect(header).toEqual(["id", ...columns]);
    expect(rows.map(([id]) => id)).toEqual(names);
    for (const [r, [, ...cells]] of rows.entries())
      close(
        cells.map(Number),
        [1, 3].flatMap((layer) => meanOf(rowsOf(layer, r))),
      );
  });
});

describe("tables", () => {
  test("one layer has plain columns, and the numbers of the other formats to the last bit", async () => {
    expect((await embed("one.csv")).code).toBe(0);
    await embed("one.npy");
    const bytes = await readFile(join(dir, "one.npy"));
    const floats = new Float32Array(Uint8Array.from(bytes.subarray(10 + bytes.readUInt16LE(8))).buffer);
    const [header, ...rows] = await table("one.csv");
    expect(header).toEqual(["id", ...Array.from({ length: HIDDEN }, (_, i) => `dim_${i}`)]);
    expect(Float32Array.from(rows.flatMap(([, ...cells]) => cells.map(Number)))).toEqual(floats);
    const text = await readFile(join(dir, "one.csv"), "utf8");
    expect(text.split("\n")[1]).toMatch(/^"a,b",-?\d/);
    expect(text.split("\n")[2]).toMatch(/^"say""x",-?\d/);
    expect(text.split("\n")[3]).toMatch(/^plain,-?\d/);
    expect(text.endsWith("\n")).toBe(true);
  });

  test("per token: a row for each, with its place", async () => {
    await embed("t.tsv", "--pooling", "per-token", "--layer", "0");
    const [header, ...rows] = await table("t.tsv");
    expect(header?.slice(0, 3)).toEqual(["id", "place", "dim_0"]);
    expect(rows.map(([id, place]) => [id, place])).toEqual(
      inner.flatMap((row, r) => row.map((_, i) => [names[r], String(i + 1)])),
    );
    close(
      rows.flatMap(([, , ...cells]) => cells.map(Number)),
      inner.flatMap((_, r) => rowsOf(0, r).flat()),
    );
  });
});

test("mistakes", async () => {
  const said = async (...layers: readonly string[]): Promise<string> => {
    const { code, err } = await embed("m.csv", ...layers.flatMap((each) => ["--layer", each]));
    expect(code).toBe(2);
    return err.trimEnd().split("\n").at(-1) ?? "";
  };
  expect(await said("1,x")).toBe('cloze: --layer: expected whole numbers between commas, such as 6,-1, got "1,x".');
  expect(await said("1", "")).toContain("--layer: expected");
  expect(await said("1,,2")).toContain('got "1,,2"');
  expect(await said("4")).toContain("layer: expected a whole number from -4 to 3");
  expect(await said("3", "-1")).toContain(
    "layer: expected different layers, got 3, -1, in which -1 is a layer of before",
  );
  const pooler = await embed("m.csv", "--pooling", "pooler", "--layer", "1,-1");
  expect(pooler.err).toContain("expected the last layer");
  expect((await embed("m.xlsx")).err).toContain(
    "expected a name that ends in .safetensors, .npy, .parquet, .csv, .tsv",
  );
});
