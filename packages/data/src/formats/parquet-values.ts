/**
 * The values of Parquet columns as they are carried and named: with every digit, as Apache Arrow writes them as text.
 *
 *   integers of any width, decimals, floats   a number that keeps its text (see number-text.ts)
 *   DATE, TIME, TIMESTAMP, INT96              `2024-01-02`, `03:04:05.000006`, `2024-01-02 03:04:05.678`, with a Z at
 *                                             its end where the column is in UTC
 *   bytes                                     text, if they are UTF-8 (old writers leave the annotation out), else
 *                                             hexadecimal digits; of a fixed length, always digits
 *   all else (texts, booleans)                as the decoder gives it
 *
 * hyparquet would make doubles of decimals and dates of milliseconds. So it is given a schema without those
 * annotations, and the raw values are converted here.
 */
import { UnsupportedError } from "@cloze/errors";
import type { SchemaElement, SchemaTree } from "hyparquet";
import { parseRowJson } from "./row-json.ts";
import { type NumberText, doubleOf, floatOf, halfOf, integerOf, numberOf } from "./number-text.ts";

export type Convert = (value: unknown) => unknown;

/** Options of hyparquet's readers that keep raw values. */
export const RAW = {
  utf8: false,
  parsers: {
    timestampFromNanoseconds: (nanos: bigint): unknown => nanos,
    jsonFromBytes: (bytes: Uint8Array | undefined): unknown =>
      bytes === undefined ? undefined : parseRowJson(new TextDecoder().decode(bytes)),
  },
} as const;

/** The schema with whose elements hyparquet gives raw values, for a schema in the order of the file. */
export function rawSchema(schema: readonly SchemaElement[]): SchemaElement[] {
  let variantEnds = 0; // the columns inside a VARIANT are the decoder's own
  return schema.map((element, i) => {
    if (element.logical_type?.type === "VARIANT") variantEnds = Math.max(variantEnds, endOfNode(schema, i));
    return i < variantEnds || isNested(element) ? element : rawElement(element);
  });
}

function rawElement(element: SchemaElement): SchemaElement {
  const { logical_type: logical, converted_type: converted, ...bare } = element;
  if (RAW_LOGICAL.has(logical?.type ?? "") || RAW_CONVERTED.has(converted ?? "")) return bare;
  return element;
}

/** The place after a node and the nodes under it, in the order of the file. */
function endOfNode(schema: readonly SchemaElement[], at: number): number {
  let end = at + 1;
  for (let child = 0; child < (schema[at]?.num_children ?? 0); child++) end = endOfNode(schema, end);
  return end;
}

/** The conversion of a top-level column's values, as hyparquet assembles them; undefined if there is nothing to do. */
export function columnConversion(file: string, column: SchemaTree): Convert | undefined {
  return ofRepeated(column, ofNode(file, column));
}

const RAW_LOGICAL: ReadonlySet<string> = new Set(["DECIMAL", "DATE", "TIME", "TIMESTAMP"]);
const RAW_CONVERTED: ReadonlySet<string> = new Set([
  "DECIMAL",
  "DATE",
  "TIME_MILLIS",
  "TIME_MICROS",
  "TIMESTAMP_MILLIS",
  "TIMESTAMP_MICROS",
  "INTERVAL",
]);

const isNested = ({ num_children }: SchemaElement): boolean => (num_children ?? 0) > 0;

const ofRepeated = ({ element }: SchemaTree, convert: Convert | undefined): Convert | undefined =>
  element.repetition_type === "REPEATED" ? ofList(convert) : convert;

const ofList = (convert: Convert | undefined): Convert | undefined =>
  convert && ((value) => (Array.isArray(value) ? value.map((each) => convert(each)) : value));

function ofNode(file: string, node: SchemaTree): Convert | undefined {
  const { element, children } = node;
  if (!isNested(element)) return nullable(ofLeaf(file, element));
  if (element.logical_type?.type === "VARIANT") return undefined;
  const [only] = children;
  if (element.converted_type === "LIST" && only !== undefined && children.length === 1) {
    const [inner] = only.children;
    return ofList(ofNode(file, inner !== undefined && only.children.length === 1 ? inner : only));
  }
  if (element.converted_type === "MAP" && only !== undefined) {
    const [, value] = only.children;
    const convert = value && ofNode(file, value);
    return convert && ofFields(() => convert);
  }
  const byName = new Map(children.map((child) => [child.element.name, ofRepeated(child, ofNode(file, child))]));
  return [...byName.values()].some((convert) => convert !== undefined)
    ? ofFields((name) => byName.get(name))
    : undefined;
}

const ofFields =
  (convertOf: (name: string) => Convert | undefined): Convert =>
  (value) =>
    isPlainObject(value)
      ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, convertOf(name)?.(each) ?? each]))
      : Array.isArray(value)
        ? value.map(ofFields(convertOf))
        : value;

const isPlainObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const nullable = (convert: Convert | undefined): Convert | undefined =>
  convert && ((value) => (value === null || value === undefined ? value : convert(value)));

type Leaf = (value: never, element: SchemaElement) => unknown;

const DAY = 86_400_000_000_000n;
const NANOS: Readonly<Record<string, bigint>> = { MILLIS: 1_000_000n, MICROS: 1000n, NANOS: 1n };
const DIGITS: Readonly<Record<string, number>> = { MILLIS: 3, MICROS: 6, NANOS: 9 };

/** The conversion by annotation. `isUtc` of the old annotations is true, as in the format's specification. */
const ANNOTATED: Readonly<Record<string, Leaf>> = {
  DECIMAL: (value: Uint8Array | bigint | number, { scale, logical_type: logical }) =>
    decimalOf(
      value instanceof Uint8Array ? signedOf(value) : BigInt(value),
      scale ?? (logical?.type === "DECIMAL" ? logical.scale : 0),
    ),
  DATE: (days: number) => dateText(BigInt(days) * DAY),
  TIME_MILLIS: (value: number) => timeText(BigInt(value), "MILLIS"),
  TIME_MICROS: (value: bigint) => timeText(value, "MICROS"),
  TIMESTAMP_MILLIS: (value: bigint) => timestampText(value, "MILLIS", true),
  TIMESTAMP_MICROS: (value: bigint) => timestampText(value, "MICROS", true),
  TIME: (value: bigint | number, { logical_type: logical }) =>
    logical?.type === "TIME" ? timeText(BigInt(value), logical.unit) : value,
  TIMESTAMP: (value: bigint, { logical_type: logical }) =>
    logical?.type === "TIMESTAMP" ? timestampText(value, logical.unit, logical.isAdjustedToUTC) : value,
  UINT_64: (value: bigint) => integerOf(BigInt.asUintN(64, value)),
  UINT_32: (value: number) => value >>> 0,
  FLOAT16: (value: number) => halfOf(value),
};

/** The conversion by physical type, without an annotation that says more. */
const PHYSICAL: Readonly<Record<string, Leaf>> = {
  INT64: (value: bigint) => integerOf(value),
  INT96: (nanos: bigint) => timestampText(nanos, "NANOS", false),
  FLOAT: (value: number) => floatOf(value),
  DOUBLE: (value: number) => doubleOf(value),
  FIXED_LEN_BYTE_ARRAY: (value: unknown) => (value instanceof Uint8Array ? hexOf(value) : value),
  BYTE_ARRAY: (value: unknown) => (value instanceof Uint8Array ? textOrHex(value) : value),
};

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function textOrHex(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return hexOf(bytes);
  }
}

/** Annotations of bytes that the decoder turns into texts or objects. */
const DECODED: ReadonlySet<string> = new Set(["STRING", "UTF8", "JSON", "GEOMETRY", "GEOGRAPHY", "BSON"]);

function ofLeaf(file: string, element: SchemaElement): Convert | undefined {
  const { logical_type: logical, converted_type: converted, type } = element;
  if (converted === "INTERVAL")
    throw new UnsupportedError(
      `${file}: expected columns of numbers, dates and texts, got the interval "${element.name}". Leave it out.`,
    );
  const unsigned =
    logical?.type === "INTEGER" && !logical.isSigned && logical.bitWidth >= 32 ? `UINT_${logical.bitWidth}` : undefined;
  if (type === "BYTE_ARRAY" && [logical?.type, converted].some((name) => DECODED.has(name ?? ""))) return undefined;
  const leaf = ANNOTATED[unsigned ?? logical?.type ?? ""] ?? ANNOTATED[converted ?? ""] ?? (type && PHYSICAL[type]);
  return leaf && ((value) => leaf(value as never, element));
}

/** A big-endian integer in two's complement. */
function signedOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(8 * bytes.length, value);
}

function decimalOf(unscaled: bigint, scale: number): number | NumberText {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return numberOf(`${unscaled < 0n ? "-" : ""}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ""}`);
}

/** The day that begins at a time since 1970 in nanoseconds. */
function dateText(nanos: bigint): string {
  const day = new Date(Number(nanos / 1_000_000n));
  if (Number.isNaN(day.valueOf())) return `1970-01-01 + ${nanos / DAY} days`; // beyond the calendar of JavaScript
  return day.toISOString().split("T", 1)[0] ?? "";
}

function timeText(value: bigint, unit: string): string {
  const nanos = value * (NANOS[unit] ?? 1n);
  const seconds = Number(nanos / 1_000_000_000n);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const fraction = String(nanos % 1_000_000_000n).padStart(9, "0");
  return `${parts.map((part) => String(part).padStart(2, "0")).join(":")}.${fraction.slice(0, DIGITS[unit])}`;
}

function timestampText(value: bigint, unit: string, isUtc: boolean): string {
  const nanos = value * (NANOS[unit] ?? 1n);
  const inDay = ((nanos % DAY) + DAY) % DAY;
  return `${dateText(nanos - inDay)} ${timeText(inDay / (NANOS[unit] ?? 1n), unit)}${isUtc ? "Z" : ""}`;
}
