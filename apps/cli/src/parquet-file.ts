/**
 * Writer of embeddings as Parquet: id (string), length (int32), embedding (list of float, per token a list of lists).
 * Of several layers: embedding_layer_6, ….
 */
import { writeFileAtomic } from "@cloze/checkpoint/node";
import type { Embedding } from "@cloze/inference";
import { ByteWriter, ParquetWriter, type ColumnSource } from "hyparquet-writer";
import { layerNames, type EmbeddingTable } from "./embedding-files.ts";

/** Numbers in a row group. They are JavaScript lists while the group is encoded, so their count limits the memory. */
const GROUP_NUMBERS = 1 << 19;
const GROUP_ROWS = 100_000;

type Schema = ConstructorParameters<typeof ParquetWriter>[0]["schema"];

/** The three levels that the Parquet specification prescribes for a list whose elements are never missing. */
const listOf = (name: string, element: Schema): Schema => [
  { name, repetition_type: "REQUIRED", num_children: 1, converted_type: "LIST", logical_type: { type: "LIST" } },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  ...element,
];

export async function writeParquet(
  path: string,
  { ids, residues, perToken, hidden, layers, about }: EmbeddingTable,
  vectors: AsyncIterable<Embedding>,
): Promise<void> {
  const element: Schema = [{ name: "element", type: "FLOAT", repetition_type: "REQUIRED" }];
  const names = layerNames(layers).map((layer) => (layer === undefined ? "embedding" : `embedding_${layer}`));
  const schema: Schema = [
    { name: "root", num_children: 2 + names.length },
    {
      name: "id",
      type: "BYTE_ARRAY",
      converted_type: "UTF8",
      logical_type: { type: "STRING" },
      repetition_type: "REQUIRED",
    },
    { name: "length", type: "INT32", repetition_type: "REQUIRED" },
    ...names.flatMap((name) => listOf(name, perToken ? listOf("element", element) : element)),
  ];
  await writeFileAtomic(path, async (handle) => {
    const bytes = new ByteWriter();
    const writer = new ParquetWriter({
      writer: bytes,
      schema,
      createdBy: "cloze",
      kvMetadata: Object.entries(about).map(([key, value]) => ({ key, value })),
    });
    const drain = async (): Promise<void> => {
      await handle.writeFile(bytes.getBytes());
      bytes.index = 0;
    };
    let group: {
      readonly id: string;
      readonly length: number;
      readonly embeddings: readonly (readonly unknown[])[];
    }[] = [];
    let numbers = 0;
    const flush = async (): Promise<void> => {
      if (group.length === 0) return;
      const columnData: ColumnSource[] = [
        { name: "id", data: group.map(({ id }) => id) },
        { name: "length", data: group.map(({ length }) => length) },
        // Vectors do not repeat, and they hardly compress.
        ...names.map((name, i): ColumnSource => ({
          name,
          data: group.map(({ embeddings }) => embeddings[i] ?? []),
          encoding: "PLAIN",
          codec: "UNCOMPRESSED",
          statistics: false,
        })),
      ];
      await writer.write({ columnData, rowGroupSize: group.length });
      await drain();
      group = [];
      numbers = 0;
    };
    for await (const { index, layers: parts } of vectors) {
      const embeddings = parts.map(({ data }) => {
        const rows = Array.from({ length: data.length / hidden }, (_, i) =>
          Array.from(data.subarray(i * hidden, (i + 1) * hidden)),
        );
        return perToken ? rows : (rows[0] ?? []);
      });
      group.push({ id: ids[index] as string, length: residues[index] as number, embeddings });
      numbers += parts.reduce((sum, { data }) => sum + data.length, 0);
      if (numbers >= GROUP_NUMBERS || group.length >= GROUP_ROWS) await flush();
    }
    await flush();
    await writer.finish();
    await drain();
  });
}
