/**
 * Writers of embeddings as tables of text, RFC 4180 with the delimiter of the ending. The first row names the columns:
 *
 *   id, dim_0, dim_1, …                          a row for each sequence
 *   id, layer_6_dim_0, …, layer_12_dim_0, …      of several layers
 *   id, place, dim_0, …                          per token: a row for each, its place from 1
 *
 * A number has the fewest digits that give the same f32 again.
 */
import { writeFileAtomic } from "@cloze/checkpoint/node";
import type { Embedding } from "@cloze/inference";
import { layerNames, type EmbeddingTable } from "./embedding-files.ts";

/** Characters that are written at once. */
const PORTION = 2 ** 20;

export const writeTable =
  (delimiter: "," | "\t") =>
  async (
    path: string,
    { ids, perToken, hidden, layers }: EmbeddingTable,
    vectors: AsyncIterable<Embedding>,
  ): Promise<void> => {
    const dimensions = layerNames(layers).flatMap((name) =>
      Array.from({ length: hidden }, (_, i) => `${name === undefined ? "" : `${name}_`}dim_${i}`),
    );
    await writeFileAtomic(path, async (handle) => {
      let waiting = `${["id", ...(perToken ? ["place"] : []), ...dimensions].join(delimiter)}\n`;
      for await (const { index, layers: parts } of vectors) {
        const id = quoted(ids[index] as string, delimiter);
        const rows = (parts[0]?.data.length ?? 0) / hidden;
        for (let row = 0; row < rows; row++) {
          const cells = parts.flatMap(({ data }) =>
            Array.from(data.subarray(row * hidden, (row + 1) * hidden), shortest),
          );
          waiting += `${[id, ...(perToken ? [String(row + 1)] : []), ...cells].join(delimiter)}\n`;
          if (waiting.length < PORTION) continue;
          await handle.writeFile(waiting);
          waiting = "";
        }
      }
      await handle.writeFile(waiting);
    });
  };

/** A cell. What a reader would take for a delimiter, a quote or a line break is in quotes. */
const quoted = (cell: string, delimiter: string): string =>
  cell.includes(delimiter) || /["\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;

/** The shortest decimal number that is rounded to this f32; 9 digits always are enough. */
export function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(9)));
}
