/**
 * The encoder of the safetensors format: layout and header for any writer, and a whole file in memory for small models.
 *
 * The same tensors give the same bytes, in whatever order the caller passes them. Tensors are sorted: widest dtype
 * first, then by name in UTF-8 order. Spaces pad the header to a multiple of 8 bytes. Both are as in the reference
 * library. Metadata keys are sorted as well (the reference library has them in the order of a hash map).
 * Source: `prepare` in https://github.com/huggingface/safetensors, safetensors/src/tensor.rs. Checked byte for byte
 * against files in test/golden.
 */
import { ConfigError } from "@cloze/errors";
import {
  dtypeBytes,
  dtypes,
  isSafetensorsDType,
  tensorBytes,
  type SafetensorsDType,
  type TensorEntry,
} from "./dtype.ts";
import { maxHeaderBytes } from "./header.ts";
import { isWellFormed } from "./json.ts";

/** Name, dtype and shape of a tensor: all that the layout needs. The bytes may come later. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

export interface TensorBytes extends TensorSpec {
  /** Little endian, row-major, dense. */
  readonly data: Uint8Array;
}

export interface EncodeOptions {
  /** Strings to store in the header. Default `{ format: "pt" }`: Python transformers refuses a file without it. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface Layout<Spec extends TensorSpec> {
  /** The first bytes of the file: the length field and the padded JSON. */
  readonly header: Uint8Array;
  /** The tensors, in the order of their bytes in the file. */
  readonly tensors: readonly { readonly spec: Spec; readonly entry: TensorEntry }[];
  readonly fileSize: number;
}

/**
 * Decides the place of each tensor and encodes the header.
 * Throws: ConfigError for a repeated name, the name `__metadata__`, a text without a UTF-8 form, an unknown dtype, a
 * size that is not a non-negative integer, a metadata value that is not a string, a header above `maxHeaderBytes`.
 */
export function layoutSafetensors<Spec extends TensorSpec>(
  specs: Iterable<Spec>,
  { metadata = { format: "pt" } }: EncodeOptions = {},
): Layout<Spec> {
  const names = new Set<string>();
  const sorted = [...specs];
  for (const spec of sorted) {
    checkSpec(spec);
    if (names.has(spec.name))
      throw new ConfigError(
        `tensor ${JSON.stringify(spec.name)}: expected each name once, got it a second time. Give each tensor a ` +
          "name of its own.",
      );
    names.add(spec.name);
  }
  const rank = new Map(dtypes.map((dtype, i) => [dtype, i]));
  sorted.sort((a, b) => (rank.get(a.dtype) ?? 0) - (rank.get(b.dtype) ?? 0) || compareUtf8(a.name, b.name));

  let offset = 0;
  const placed: { spec: Spec; begin: number; bytes: number }[] = [];
  const parts: string[] = [];
  const meta = encodeMetadata(metadata);
  if (meta !== undefined) parts.push(`"__metadata__":${meta}`);
  for (const spec of sorted) {
    const bytes = specBytes(spec);
    const end = offset + bytes;
    parts.push(
      `${JSON.stringify(spec.name)}:{"dtype":"${spec.dtype}","shape":[${spec.shape.join(",")}],` +
        `"data_offsets":[${offset},${end}]}`,
    );
    placed.push({ spec, begin: offset, bytes });
    offset = end;
  }
  const json = new TextEncoder().encode(`{${parts.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > maxHeaderBytes || !Number.isSafeInteger(offset + 8 + length)) {
    throw new ConfigError(
      `safetensors header: expected at most ${maxHeaderBytes} bytes, got ${length} for ${sorted.length} tensors ` +
        `of ${offset} bytes. Write several files (writeSharded).`,
    );
  }
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  const tensors = placed.map(({ spec, begin, bytes }) => ({
    spec,
    entry: { dtype: spec.dtype, shape: [...spec.shape], byteOffset: header.length + begin, byteLength: bytes },
  }));
  return { header, tensors, fileSize: header.length + offset };
}

/** Encodes a whole file in memory. Throws: ConfigError, as `layoutSafetensors`, and for data of a wrong length. */
export function encodeSafetensors(tensors: Iterable<TensorBytes>, options: EncodeOptions = {}): Uint8Array {
  const layout = layoutSafetensors(tensors, options);
  for (const { spec } of layout.tensors) checkData(spec, spec.data);
  const bytes = new Uint8Array(layout.fileSize);
  bytes.set(layout.header);
  for (const { spec, entry } of layout.tensors) bytes.set(spec.data, entry.byteOffset);
  return bytes;
}

/** Bytes of a tensor. Throws: ConfigError for an unknown dtype, or sizes that `tensorBytes` refuses. */
export function specBytes({ name, dtype, shape }: TensorSpec): number {
  if (!isSafetensorsDType(dtype))
    throw new ConfigError(
      `tensor ${JSON.stringify(name)}: expected a dtype of ${dtypes.join(", ")}, got ${JSON.stringify(dtype)}. ` +
        "Convert it to one of these first.",
    );
  const bytes = tensorBytes(dtype, shape);
  if (bytes === undefined)
    throw new ConfigError(
      `tensor ${JSON.stringify(name)}: expected sizes that are non-negative integers with a product below 2^53, ` +
        `got [${shape.join(", ")}]. Pass the tensor's shape.`,
    );
  return bytes;
}

/** Throws ConfigError unless the length of `data` fits the dtype and the shape. */
export function checkData(spec: TensorSpec, data: Uint8Array): void {
  const expected = specBytes(spec);
  if (data.byteLength !== expected) {
    throw new ConfigError(
      `tensor ${JSON.stringify(spec.name)}: expected ${expected} bytes for ${spec.dtype} ` +
        `[${spec.shape.join(", ")}] (${dtypeBytes[spec.dtype]} each), got ${data.byteLength}. Pass the whole ` +
        "tensor, as the bytes of its own dtype.",
    );
  }
}

/** Compares two strings by their UTF-8 bytes. This is the order of code points, not of UTF-16 code units. */
export function compareUtf8(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const high = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff; // a surrogate: above U+FFFF
    return high(x) === high(y) ? x - y : high(x) ? 1 : -1;
  }
  return a.length - b.length;
}

function checkSpec(spec: TensorSpec): void {
  if (spec.name === "__metadata__")
    throw new ConfigError(
      'tensor "__metadata__": expected another name, this one is the format\'s own. Rename the tensor, or pass ' +
        "strings as the option metadata.",
    );
  if (!isWellFormed(spec.name))
    throw new ConfigError(
      `tensor ${JSON.stringify(spec.name)}: expected a name with a UTF-8 form, got half of a surrogate pair. ` +
        "Rename the tensor.",
    );
  specBytes(spec);
}

/**
 * The metadata as a JSON object, sorted by key; undefined where there is no metadata. `JSON.stringify` of an object
 * would not do: an object puts integer-like keys first.
 */
function encodeMetadata(metadata: Readonly<Record<string, string>>): string | undefined {
  const members = Object.entries(metadata)
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([key, value]: [string, unknown]) => {
      if (typeof value !== "string")
        throw new ConfigError(
          `metadata ${JSON.stringify(key)}: expected a string, got ${typeof value}. The format holds strings ` +
            "only: use JSON.stringify.",
        );
      if (!isWellFormed(key) || !isWellFormed(value))
        throw new ConfigError(
          `metadata ${JSON.stringify(key)}: expected text with a UTF-8 form, got half of a surrogate pair. Remove it.`,
        );
      return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
    });
  return members.length === 0 ? undefined : `{${members.join(",")}}`;
}
