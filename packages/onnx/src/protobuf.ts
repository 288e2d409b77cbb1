/**
 * Protocol Buffers, the writing half: varints, fixed 32-bit floats, length-delimited fields. ONNX needs no more.
 *
 * A message is a list of fields. A field is the bytes of its key and of its value. Only `join` copies bytes.
 * Source: protobuf.dev/programming-guides/encoding.
 */

/** Bytes of one field, or of several, in order. */
export type Field = readonly Uint8Array[];

const text = new TextEncoder();

/** Base-128, least significant group first. Negative numbers are 64-bit two's complement. */
function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value < 0 ? BigInt.asUintN(64, BigInt(value)) : BigInt(value);
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Uint8Array.from(out);
}

const key = (field: number, wireType: 0 | 2 | 5): Uint8Array => varint(field * 8 + wireType);

export const int = (field: number, value: number): Field => [key(field, 0), varint(value)];

export function float(field: number, value: number): Field {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [key(field, 5), bytes];
}

export const bytes = (field: number, value: Uint8Array): Field => [key(field, 2), varint(value.length), value];

export const string = (field: number, value: string): Field => bytes(field, text.encode(value));

/** An embedded message. */
export function message(field: number, parts: readonly Field[]): Field {
  const flat = parts.flat();
  return [key(field, 2), varint(flat.reduce((n, b) => n + b.length, 0)), ...flat];
}

/** Repeated integers, packed. */
export const ints = (field: number, values: readonly number[]): Field =>
  values.length === 0 ? [] : message(field, [values.map(varint)]);

/** All fields in one array. */
export function join(parts: readonly Field[]): Uint8Array {
  const flat = parts.flat();
  const out = new Uint8Array(flat.reduce((n, b) => n + b.length, 0));
  let at = 0;
  for (const b of flat) {
    out.set(b, at);
    at += b.length;
  }
  return out;
}
