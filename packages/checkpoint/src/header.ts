/**
 * The parser of safetensors headers. It checks every field before it allocates memory for the field.
 *
 *     8 bytes, u64 little endian: N | N bytes of JSON, padded with spaces | the tensors' bytes, no holes
 *     JSON: { "__metadata__": { string: string }, "name": { "dtype", "shape", "data_offsets": [begin, end] } }
 *
 * Price: one pass over the header; the data is not read. Stricter than the reference library where the format leaves a
 * case open. Refused here: a repeated key, a field beside the three, space before `{`, `"__metadata__": null`.
 * Source: https://github.com/huggingface/safetensors#format and its safetensors/src/tensor.rs. The verdicts of version
 * 0.8 on hand-made headers are in test/golden/headers.json.
 */
import { FormatError } from "@cloze/errors";
import { dtypes, isSafetensorsDType, tensorBytes, type TensorEntry } from "./dtype.ts";
import { decodeUtf8, parseJson, type JsonValue } from "./json.ts";

/** The reference library's limit. A longer header counts as damage. */
export const maxHeaderBytes = 100_000_000;

export interface SafetensorsHeader {
  /** An object without a prototype, so that any key is safe to look up. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The tensors by name, in the order of their bytes in the file. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** Offset of the first tensor's bytes from the start of the file. */
  readonly dataOffset: number;
}

export interface HeaderSource {
  /** The name for error messages: a path or an address. */
  readonly file: string;
  /** Size of the whole file in bytes. */
  readonly fileSize: number;
}

/**
 * Reads the header's length from the first 8 bytes. A caller then knows how many bytes to fetch for `parseHeader`.
 * Throws: FormatError for fewer than 8 bytes, or a length that does not fit the file.
 */
export function readHeaderLength(bytes: Uint8Array, { file, fileSize }: HeaderSource): number {
  if (fileSize < 8 || bytes.length < 8) {
    throw new FormatError(
      file,
      "byte 0",
      `expected a safetensors file, at least 8 bytes long, got ${Math.min(fileSize, bytes.length)}. The file is ` +
        "cut off or of another kind: fetch it again.",
    );
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  const room = Math.min(maxHeaderBytes, fileSize - 8);
  if (length < 2n || length > BigInt(room)) {
    throw new FormatError(
      file,
      "byte 0",
      `expected a header length between 2 and ${room}, got ${length}. The file is cut off or no safetensors ` +
        "file: compare its size with the source's and fetch it again.",
    );
  }
  return Number(length);
}

/**
 * Reads and checks a header. `bytes` begins with the file's first byte and holds at least the header.
 *
 * Checks: the length; UTF-8; strict JSON without a repeated key; known dtypes; sizes are non-negative safe integers;
 * elements x bytes = range. The sorted ranges must cover the data exactly, without holes or overlap, up to the last
 * byte of the file. Throws: FormatError with the file and the tensor or byte.
 *
 * @example
 * const bytes = encodeSafetensors([{ name: "bias", dtype: "U8", shape: [2], data: new Uint8Array([1, 2]) }]);
 * parseHeader(bytes, { file: "a.safetensors", fileSize: bytes.length }).entries.get("bias")?.shape  // => [2]
 */
export function parseHeader(bytes: Uint8Array, source: HeaderSource): SafetensorsHeader {
  const { file, fileSize } = source;
  const length = readHeaderLength(bytes, source);
  const dataOffset = 8 + length;
  if (bytes.length < dataOffset) {
    throw new FormatError(
      file,
      `byte ${bytes.length}`,
      `expected ${dataOffset} bytes of header, got ${bytes.length}. Pass at least the header that ` +
        "readHeaderLength measures.",
    );
  }
  const text = decodeUtf8(bytes.subarray(8, dataOffset), file, "header", { keepBom: true });
  if (text[0] !== "{")
    throw new FormatError(
      file,
      "byte 8",
      `expected '{', got ${JSON.stringify(text.slice(0, 1))}. This is no safetensors file.`,
    );
  const place = (index: number): string => `byte ${8 + new TextEncoder().encode(text.slice(0, index)).length}`;
  const root = parseJson(text, { file, place, integers: true });
  if (!(root instanceof Map))
    throw new FormatError(file, "byte 8", "expected a JSON object. This is no safetensors file.");

  const metadata = readMetadata(root.get("__metadata__"), file);
  const found: (readonly [string, TensorEntry])[] = [];
  for (const [name, value] of root)
    if (name !== "__metadata__") found.push([name, readEntry(name, value, dataOffset, file)]);
  // An empty tensor sorts before a tensor that begins at the same byte.
  found.sort(([, a], [, b]) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let end = dataOffset;
  for (const [name, entry] of found) {
    if (entry.byteOffset !== end) {
      const what = entry.byteOffset < end ? "overlaps the tensor before it" : "leaves a hole before it";
      throw new FormatError(
        file,
        tensor(name),
        `expected data_offsets to begin at ${end - dataOffset}, got ${entry.byteOffset - dataOffset}: it ` +
          `${what}. The header is damaged: fetch or write the file again.`,
      );
    }
    end += entry.byteLength;
  }
  if (end !== fileSize) {
    throw new FormatError(
      file,
      `byte ${Math.min(end, fileSize)}`,
      `expected a file of ${end} bytes by its header, got ${fileSize}. It is ` +
        `${fileSize < end ? "cut off" : "longer than it says"}: fetch or write it again.`,
    );
  }
  return { metadata, entries: new Map(found), dataOffset };
}

/**
 * Parses a whole file in memory, for browsers and small files. `read` gives a tensor's bytes as a view of `bytes`,
 * without a copy.
 */
export function parseSafetensors(
  bytes: Uint8Array,
  file: string = "safetensors bytes",
): SafetensorsHeader & { read(name: string): Uint8Array } {
  const header = parseHeader(bytes, { file, fileSize: bytes.length });
  return {
    ...header,
    read(name) {
      const entry = entryOf(header.entries, name, file);
      return bytes.subarray(entry.byteOffset, entry.byteOffset + entry.byteLength);
    },
  };
}

/** The entry of a tensor that must exist. Throws: FormatError with up to three similar names. */
export function entryOf<Entry>(entries: ReadonlyMap<string, Entry>, name: string, file: string): Entry {
  const entry = entries.get(name);
  if (entry !== undefined) return entry;
  const last = name.split(".").at(-1);
  const near = [...entries.keys()]
    .filter((key) => key.endsWith(name) || name.endsWith(key) || key.split(".").at(-1) === last)
    .slice(0, 3);
  const hint = near.length > 0 ? near : [...entries.keys()].slice(0, 3);
  throw new FormatError(
    file,
    tensor(name),
    `expected a tensor of this name, got ${entries.size} ` +
      `others${hint.length > 0 ? ` (${hint.map((key) => JSON.stringify(key)).join(", ")}, …)` : ""}. Ask for a ` +
      "name that entries has, or check that the checkpoint is of this model.",
  );
}

function readMetadata(value: JsonValue | undefined, file: string): Readonly<Record<string, string>> {
  const metadata: Record<string, string> = Object.create(null) as Record<string, string>;
  if (value === undefined) return metadata;
  if (!(value instanceof Map))
    throw new FormatError(
      file,
      "__metadata__",
      `expected an object of strings, got ${show(value)}. Write the file again.`,
    );
  for (const [key, text] of value) {
    if (typeof text !== "string")
      throw new FormatError(
        file,
        `__metadata__ ${JSON.stringify(key)}`,
        `expected a string, got ${show(text)}. Write the file again with metadata of strings.`,
      );
    metadata[key] = text;
  }
  return metadata;
}

function readEntry(name: string, value: JsonValue, dataOffset: number, file: string): TensorEntry {
  const fail = (message: string): never => {
    throw new FormatError(file, tensor(name), message);
  };
  if (!(value instanceof Map))
    return fail(
      `expected an object with dtype, shape and data_offsets, got ${show(value)}. The header is damaged: fetch ` +
        "or write the file again.",
    );
  for (const key of value.keys()) {
    if (key !== "dtype" && key !== "shape" && key !== "data_offsets")
      fail(
        `expected only dtype, shape and data_offsets, got the field ${JSON.stringify(key)}. The header is ` +
          "damaged or of a newer format.",
      );
  }
  const dtype = value.get("dtype");
  const shape = value.get("shape");
  const offsets = value.get("data_offsets");
  if (!isSafetensorsDType(dtype))
    return fail(
      `expected a dtype of ${dtypes.join(", ")}, got ${show(dtype)}. Convert the checkpoint to one of these.`,
    );
  if (!isIntegers(shape))
    return fail(
      `expected shape to be a list of non-negative integers, got ${show(shape)}. The header is damaged: fetch or ` +
        "write the file again.",
    );
  if (!isIntegers(offsets) || offsets.length !== 2)
    return fail(
      `expected data_offsets to be [begin, end], got ${show(offsets)}. The header is damaged: fetch or write the ` +
        "file again.",
    );
  const [begin = 0, end = 0] = offsets;
  const bytes = tensorBytes(dtype, shape);
  if (bytes === undefined || end - begin !== bytes) {
    fail(
      `expected ${bytes ?? `more than ${Number.MAX_SAFE_INTEGER}`} bytes for ${dtype} [${shape.join(", ")}], got ` +
        `data_offsets [${begin}, ${end}], ${end - begin} bytes. The header is damaged: fetch or write the file ` +
        "again.",
    );
  }
  // `begin` may be near the largest safe integer. The sum is then exact enough to fail the coverage check, because
  // dataOffset is only about 1e8 at most.
  return { dtype, shape, byteOffset: dataOffset + begin, byteLength: end - begin };
}

function isIntegers(value: JsonValue | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

function tensor(name: string): string {
  const text = JSON.stringify(name);
  return `tensor ${text.length > 200 ? `${text.slice(0, 200)}…` : text}`;
}

function show(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value instanceof Map) return "an object";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
