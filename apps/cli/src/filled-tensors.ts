/**
 * Writer of a safetensors file whose tensors are filled in pieces, in any order. Elements that are never filled are
 * zero. The file is written beside its place and moved there at the end. Memory: one piece.
 */
import { layoutSafetensors, type EncodeOptions, type TensorSpec } from "@cloze/checkpoint";
import { writeFileAtomic } from "@cloze/checkpoint/node";

/** Writes numbers into a tensor, from its element `at` on. */
export type Fill = (name: string, at: number, data: Float32Array | Int32Array) => Promise<void>;

export async function writeFilled(
  path: string,
  specs: readonly TensorSpec[],
  options: EncodeOptions,
  fill: (put: Fill) => Promise<void>,
): Promise<void> {
  const layout = layoutSafetensors(specs, options);
  const offsets = new Map(layout.tensors.map(({ spec, entry }) => [spec.name, entry.byteOffset]));
  await writeFileAtomic(path, async (handle) => {
    await handle.truncate(layout.fileSize); // a file's holes read as zeros
    await handle.write(layout.header, 0, layout.header.length, 0);
    await fill(async (name, at, data) => {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      const offset = (offsets.get(name) as number) + 4 * at;
      for (let done = 0; done < bytes.length;)
        done += (await handle.write(bytes, done, Math.min(2 ** 30, bytes.length - done), offset + done)).bytesWritten;
    });
  });
}

/** Puts each of the squares [count, n, n] into the top left corner of a zero square: [count, size, size]. */
export function enlarged(data: Float32Array, n: number, size: number): Float32Array {
  if (n === size) return data;
  const out = new Float32Array((data.length / (n * n)) * size * size);
  for (let row = 0; row < data.length / n; row++)
    out.set(data.subarray(row * n, (row + 1) * n), (Math.floor(row / n) * size + (row % n)) * size);
  return out;
}

export const f32Spec = (name: string, shape: readonly number[]): TensorSpec => ({ name, dtype: "F32", shape });
