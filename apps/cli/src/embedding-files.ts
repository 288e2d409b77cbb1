/**
 * Writers of embedding files. They write the vectors as they come, in the order of the input.
 *
 *   .safetensors   pooled: `embeddings` [n, hidden], the ids as a JSON list under "ids" of the metadata;
 *                  per token: a tensor [residues, hidden] for each sequence, under its id
 *   .npy           [n, hidden], or per token [all residues, hidden]; FILE.npy.ids.txt has a line for each row:
 *                  the id, and per token, after a tab, the residue's place from 1
 *   .parquet       a row for each sequence: id, length, embedding (a list, per token a list of lists)
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
  /** A description of the vectors, in words, for formats with metadata. */
  readonly about: Readonly<Record<string, string>>;
}

type Write = (path: string, table: EmbeddingTable, vectors: AsyncIterable<Embedding>) => Promise<void>;

const FORMATS: Readonly<Record<string, Write>> = {
  ".safetensors": writeTensors,
  ".npy": writeNumpy,
  ".parquet": async (...all) => (await import("./parquet-file.ts")).writeParquet(...all),
};

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
  { ids, residues, perToken, hidden, about }: EmbeddingTable,
  vectors: AsyncIterable<Embedding>,
): Promise<void> {
  const list = JSON.stringify(ids);
  const longest = perToken ? list.length + 100 * ids.length : 2 * list.length;
  if (longest > maxHeaderBytes)
    throw new ConfigError(
      `${path}: expected a header of at most ${maxHeaderBytes} bytes, which the names of ${ids.length} sequences ` +
        "exceed. Write .parquet or .npy, or several files.",
    );
  const specs: TensorSpec[] = perToken
    ? ids.map((name, i) => ({
        name: name === "__metadata__" ? `${name}#1` : name,
        dtype: "F32",
        shape: [residues[i] as number, hidden],
      }))
    : [{ name: "embeddings", dtype: "F32", shape: [ids.length, hidden] }];
  await writeFilled(
    path,
    specs,
    { metadata: { format: "pt", ...about, ...(perToken ? {} : { ids: list }) } },
    async (put) => {
      for await (const {
        index,
        vectors: { data },
      } of vectors)
        await (perToken ? put((specs[index] as TensorSpec).name, 0, data) : put("embeddings", index * hidden, data));
    },
  );
}

/**
 * The header of an .npy file, format 1.0: magic, version, and a Python dict, padded with spaces so that the data begin
 * at a multiple of 64 bytes.
 */
export function npyHeader(rows: number, columns: number): Uint8Array {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const header = new Uint8Array(length).fill(0x20);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  header.set(new TextEncoder().encode(dict), 10);
  header[length - 1] = 0x0a;
  return header;
}

async function writeNumpy(
  path: string,
  { ids, residues, perToken, hidden }: EmbeddingTable,
  vectors: AsyncIterable<Embedding>,
): Promise<void> {
  const rows = perToken ? residues.reduce((sum, n) => sum + n, 0) : ids.length;
  await writeFileAtomic(path, async (handle) => {
    await handle.writeFile(npyHeader(rows, hidden)); // on an open handle, writeFile continues at the current position
    for await (const {
      vectors: { data },
    } of vectors)
      await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
  await writeFileAtomic(`${path}.ids.txt`, async (handle) => {
    for (const [i, id] of ids.entries())
      await handle.writeFile(
        perToken ? Array.from({ length: residues[i] as number }, (_, k) => `${id}\t${k + 1}\n`).join("") : `${id}\n`,
      );
  });
}
