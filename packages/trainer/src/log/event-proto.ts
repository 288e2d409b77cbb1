/**
 * The encoder of the few messages of TensorBoard's Event protobuf that a training run needs, written by hand. Legend,
 * by field number:
 *
 *     Event         1 wall_time double | 2 step int64 | 3 file_version string | 5 summary Summary
 *                   7 session_log SessionLog
 *     SessionLog    1 status (1 = START)
 *     Summary       1 value Summary.Value, repeated
 *     Summary.Value 1 tag string | 2 simple_value float | 8 tensor TensorProto | 9 metadata SummaryMetadata
 *     TensorProto   1 dtype (7 = string) | 2 tensor_shape (2 dim: 1 size) | 8 string_val bytes
 *     SummaryMetadata  1 plugin_data (1 plugin_name string)
 *
 * Source: tensorboard/compat/proto/{event,summary,tensor,tensor_shape}.proto, version 2.21. Values in this format are
 * 32-bit floats.
 */

export type EventBody =
  | { readonly fileVersion: string }
  | { readonly start: true }
  | { readonly scalars: Readonly<Record<string, number>> }
  | { readonly tag: string; readonly text: string };

/** `wallTime` in seconds since 1970; `step` a whole number >= 0. */
export function encodeEvent(wallTime: number, step: number, body: EventBody): Uint8Array {
  return concat([double(1, wallTime), varintField(2, step), encodeBody(body)]);
}

function encodeBody(body: EventBody): Uint8Array {
  if ("fileVersion" in body) return string(3, body.fileVersion);
  if ("start" in body) return message(7, [varintField(1, 1)]);
  if ("text" in body) return message(5, [textValue(body.tag, body.text)]);
  return message(
    5,
    Object.entries(body.scalars).map(([tag, value]) => message(1, [string(1, tag), float(2, value)])),
  );
}

/** A string tensor of shape [1] that names the text plugin: TensorBoard shows it as Markdown. */
function textValue(tag: string, text: string): Uint8Array {
  const shape = message(2, [message(2, [varintField(1, 1)])]);
  return message(1, [
    string(1, tag),
    message(8, [varintField(1, 7), shape, string(8, text)]),
    message(9, [message(1, [string(1, "text")])]),
  ]);
}

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

function key(field: number, type: keyof typeof wire): Uint8Array {
  return varint(field * 8 + wire[type]);
}

function varintField(field: number, value: number): Uint8Array {
  return value === 0 ? new Uint8Array(0) : concat([key(field, "varint"), varint(value)]);
}

/** Uses division instead of shifts, so the result is exact up to 2^53. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return Uint8Array.from(bytes);
}

function double(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concat([key(field, "fixed64"), bytes]);
}

/** Writes the value even if it is 0. An absent member of a oneof would mean no value at all. */
function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concat([key(field, "fixed32"), bytes]);
}

function string(field: number, text: string): Uint8Array {
  return message(field, [new TextEncoder().encode(text)]);
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(parts);
  return concat([key(field, "bytes"), varint(body.length), body]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
