/**
 * Writers of embedding files. They write the vectors as they come, in the order of the input.
 *
 *   .safetensors   pooled: `embeddings` [n, hidden], the ids as a JSON list under "ids" of the metadata;
 *                  per token: a tensor [residues, hidden] for each sequence, under its id.
 *                  Of several layers: `embeddings.layer_6`; per token `layer_6/ID`
 *   .npy           [n, hidden], or per token [all residues, hidden]; FILE.npy.ids.txt has a line for each row:
 *                  the id, and per token, after a tab, the residue's place from 1.
 *                  Of several layers: [rows, layers, hidden]
 *   .parquet       a row for each sequence: id, length, embedding (a list, per token a list of lists).
 *                  Of several layers: embedding_layer_6, …
 *   .csv, .tsv     `embedding-tables.ts`
 *
 * A file is written beside its place and moved there when it is complete.
 */
import { extname } from "node:path";
import { maxHeaderBytes, type TensorSpec } from "@cloze/checkpoint";
import { writeFileAtomic } from "@cloze/checkpoint/node";
import { ConfigError } from "@cloze/errors";
import type { Embedding } from "@cloze/inference";
import { writeFilled } from "./filled-tensors.ts";

export interface EmbeddingTable {
  readonly ids: readonly string[];
  /** Number of residues of each sequence. Per token, this is also its number of rows. */
  readonly residues: readonly number[];
  readonly perToken: boolean;
  readonly hidden: number;
  /** Indices of the layers, from 0, in the order of `Embedding.layers`. */
  readonly layers: readonly number[];
  /** A description of the vectors, in words, for formats with metadata. */
  readonly about: Readonly<Record<string, string>>;
}

type Write = (path: string, table: EmbeddingTable, vectors: AsyncIterable<Embedding>) => Promise<void>;

const FORMATS: Readonly<Record<string, Write>> = {
  ".safetensors": writeTensors,
  ".npy": writeNumpy,
  ".parquet": async (...all) => (await import("./parquet-file.ts")).writeParquet(...all),
  ".csv": async (...all) => (await import("./embedding-tables.ts")).writeTable(",")(...all),
  ".tsv": async (...all) => (await import("./embedding-tables.ts")).writeTable("\t")(...all),
};

/** `layer_6` for each of several layers. One layer needs no name: undefined. */
export const layerNames = (layers: readonly number[]): readonly (string | undefined)[] =>
  layers.length === 1 ? [undefined] : layers.map((layer) => `layer_${layer}`);

/** Writes the vectors in the format of the path's ending. */
export async function writeEmbeddings(
  path: string,
  table: EmbeddingTable,
  vectors: AsyncIterable<Embedding>,
): Promise<void> {
  await formatOf(path).write(path, table, vectors);
}

/** The format of the path's ending. Throws ConfigError if the ending is none of FORMATS. */
export function formatOf(path: string): { readonly name: string; readonly write: Write } {
  const ending = extname(path).toLowerCase();
  const write = Object.hasOwn(FORMATS, ending) ? FORMATS[ending] : undefined;
  if (write === undefined)
    throw new ConfigError(`--out ${path}: expected a name that ends in ${Object.keys(FORMATS).join(", ")}.`);
  return { name: ending.slice(1), write };
}

async function writeTensors(
  path: string,
  { ids, residues, perToken, hidden, layers, about }: EmbeddingTable,
  vectors: AsyncIterable<Embedding>,
): Promise<void> {
  const names = layerNames(layers);
  const list = JSON.stringify(ids);
  const longest = perToken ? names.length * (list.length + 110 * ids.length) : 2 * list.length;
  if (longest > maxHeaderBytes)
    throw new ConfigError(
      `${path}: expected a header of at most ${maxHeaderBytes} bytes, which the names of ${ids.length} sequences ` +
        "exceed. Write .parquet or .npy, or several files.",
    );
  /** The tensor of a layer; per token, that of a sequence. */
  const tensorName = (layer: string | undefined, id: string): string => {
    const own = id === "__metadata__" ? `${id}#1` : id;
    if (perToken) return layer === undefined ? own : `${layer}/${own}`;
    return layer === undefined ? "embeddings" : `embeddings.${layer}`;
  };
  const specs = names.flatMap((layer): TensorSpec[] =>
    perToken
      ? ids.map((id, i) => ({ name: tensorName(layer, id), dtype: "F32", shape: [residues[i] as number, hidden] }))
      : [{ name: tensorName(layer, ""), dtype: "F32", shape: [ids.length, hidden] }],
  );
  await writeFilled(
    path,
    specs,
    { metadata: { format: "pt", ...about, ...(perToken ? {} : { ids: list }) } },
    async (put) => {
      for await (const { index, layers: parts } of vectors)
        for (const [i, { data }] of parts.entries())
          await put(tensorName(names[i], ids[index] as string), perToken ? 0 : index * hidden, data);
    },
  );
}

/**
 * The header of an .npy file, format 1.0: magic, version, and a Python dict, padded with spaces so that the data begin
 * at a multiple of 64 bytes.
 */
export function npyHeader(...shape: readonly number[]): Uint8Array {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const header = new Uint8Array(length).fill(0x20);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  header.set(new TextEncoder().encode(dict), 10);
  header[length - 1] = 0x0a;
  return header;
}

async function writeNumpy(
  path: string,
  { ids, residues, perToken, hidden, layers }: EmbeddingTable,
  vectors: AsyncIterable<Embedding>,
): Promise<void> {
  const rows = perToken ? residues.reduce((sum, n) => sum + n, 0) : ids.length;
  await writeFileAtomic(path, async (handle) => {
    // On an open handle, writeFile continues at the current position.
    await handle.writeFile(layers.length === 1 ? npyHeader(rows, hidden) : npyHeader(rows, layers.length, hidden));
    for await (const { layers: parts } of vectors) {
      const data = interleaved(
        parts.map((part) => part.data),
        hidden,
      );
      await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
  await writeFileAtomic(`${path}.ids.txt`, async (handle) => {
    for (const [i, id] of ids.entries())
      await handle.writeFile(
        perToken ? Array.from({ length: residues[i] as number }, (_, k) => `${id}\t${k + 1}\n`).join("") : `${id}\n`,
      );
  });
}

/** Rows of several matrices of one width: the first row of each, the second of each, …. */
function interleaved(parts: readonly Float32Array[], width: number): Float32Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  for (const [k, part] of parts.entries())
    for (let row = 0; row * width < part.length; row++)
      out.set(part.subarray(row * width, (row + 1) * width), (row * parts.length + k) * width);
  return out;
}
