/**
 * Writing the safetensors format: layout and header for any writer, and a whole file in memory for small ones.
 *
 * The same tensors give the same bytes in whatever order they come: widest dtype first, then by name in UTF-8 order,
 * the header padded with spaces to 8 bytes, as the reference library writes them; metadata keys are sorted (there, a
 * hash map orders them). Source: `prepare` in https://github.com/huggingface/safetensors, safetensors/src/tensor.rs.
 * Byte-equal in test/golden.
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

/** What has to be known of a tensor before its bytes are there. */
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
  /** Strings beside the tensors. Default `{ format: "pt" }`, without which Python's transformers refuses the file. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface Layout<Spec extends TensorSpec> {
  /** The length field and the padded JSON: the file's first bytes. */
  readonly header: Uint8Array;
  /** In the order of their bytes in the file. */
  readonly tensors: readonly { readonly spec: Spec; readonly entry: TensorEntry }[];
  readonly fileSize: number;
}

/**
 * Decides where each tensor goes and encodes the header.
 * Throws: ConfigError for a name twice, the name `__metadata__`, text that has no UTF-8 form, a dtype or a size that is
 * none.
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
      `${JSON.stringify(spec.name)}:{"dtype":"${spec.dtype}","shape":[${spec.shape.join(",")}],"data_offsets":[${offset},${end}]}`,
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

/** A whole file in memory. Throws: ConfigError as `layoutSafetensors`, and for data of the wrong length. */
export function encodeSafetensors(tensors: Iterable<TensorBytes>, options: EncodeOptions = {}): Uint8Array {
  const layout = layoutSafetensors(tensors, options);
  for (const { spec } of layout.tensors) checkData(spec, spec.data);
  const bytes = new Uint8Array(layout.fileSize);
  bytes.set(layout.header);
  for (const { spec, entry } of layout.tensors) bytes.set(spec.data, entry.byteOffset);
  return bytes;
}

/** Bytes that a tensor takes. Throws: ConfigError for a dtype or a size that is none. */
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

/** Throws ConfigError unless `data` has exactly the bytes that dtype and shape promise. */
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

/** The order of the UTF-8 bytes, which is that of code points and not of UTF-16 units. */
export function compareUtf8(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const high = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff; // beyond U+FFFF: after every other unit
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
 * Sorted by key; undefined when there is nothing to say. Written by hand: an object would move integer-like keys first.
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
