/** Conversions of one tensor's bytes: a cast to another floating dtype, and the transpose of a matrix. */
import { ConfigError, FormatError } from "@cloze/errors";
import { dtypeBytes, type SafetensorsDType } from "../dtype.ts";
import { fromFloat32, toFloat32 } from "../float32.ts";

export type FloatDType = "F32" | "F16" | "BF16";

const floats: ReadonlySet<SafetensorsDType> = new Set<SafetensorsDType>(["F64", "F32", "F16", "BF16"]);

export const isFloat = (dtype: SafetensorsDType): boolean => floats.has(dtype);

/**
 * Casts a floating tensor to another dtype, rounded to nearest. `where` names the tensor in the error.
 * Throws: FormatError for a finite number that the new dtype would make infinite.
 */
export function castFloats(
  from: SafetensorsDType,
  to: FloatDType,
  bytes: Uint8Array,
  where: { readonly file: string; readonly name: string },
): Uint8Array {
  if (from === to) return bytes;
  const values = toFloat32(from, bytes);
  const out = fromFloat32(to, values);
  if (to === "F32") return out;
  const back = toFloat32(to, out);
  const lost = back.findIndex((x, i) => !Number.isFinite(x) && Number.isFinite(values[i]));
  if (lost >= 0)
    throw new FormatError(
      where.file,
      `tensor ${JSON.stringify(where.name)}`,
      `expected numbers that ${to} holds, got ${values[lost]} at element ${lost}. Use bf16, which has the range ` +
        "of f32.",
    );
  return out;
}

/**
 * Transposes a matrix [rows, columns] to [columns, rows]. Works for every dtype.
 * Throws: ConfigError for a tensor that is not a matrix.
 */
export function transposed(
  dtype: SafetensorsDType,
  shape: readonly number[],
  bytes: Uint8Array,
  name: string,
): Uint8Array {
  const [rows, columns] = shape;
  const size = dtypeBytes[dtype];
  if (rows === undefined || columns === undefined || shape.length !== 2)
    throw new ConfigError(
      `tensor ${JSON.stringify(name)}: expected a matrix to transpose, got [${shape.join(", ")}]. The naming ` +
        "does not fit this checkpoint.",
    );
  const out = new Uint8Array(bytes.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const from = (r * columns + c) * size;
      const to = (c * rows + r) * size;
      for (let b = 0; b < size; b++) out[to + b] = bytes[from + b] ?? 0;
    }
  }
  return out;
}
