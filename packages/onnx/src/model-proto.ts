/**
 * An ONNX model as plain records, and their encoding. Only the messages that a lowered graph needs.
 *
 * Field numbers: onnx/onnx.proto3 of ONNX 1.18 (IR version 11, opset 23).
 */
import { invariant } from "@cloze/errors";
import type { Shape } from "@cloze/graph";
import { bytes, float, int, ints, join, message, string, type Field } from "./protobuf.ts";

/** Element types of ONNX values: the dtypes of the graph, and types that some operator requires. */
export type ElementType = "f32" | "f16" | "bf16" | "f64" | "i32" | "i64" | "u32" | "u8" | "bool";

/** TensorProto.DataType. */
const DATA_TYPE: { readonly [E in ElementType]: number } = {
  f32: 1,
  u8: 2,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
  f64: 11,
  u32: 12,
  bf16: 16,
};

export const dataTypeOf = (type: ElementType): number => DATA_TYPE[type];

export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
}

/** An integer, a float, text, or a list of integers: ONNX has a separate kind for each. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] };

export interface OnnxNode {
  readonly op: string;
  /** "" is the domain of ONNX itself. */
  readonly domain: string;
  readonly name: string;
  /** "" is an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Initializer extends ValueInfo {
  /** Row-major, little-endian. */
  readonly data: Uint8Array;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

export interface Opset {
  readonly domain: string;
  readonly version: number;
}

const IR_VERSION = 11;

/** Protobuf readers refuse a message of 2 GiB or more. */
const LIMIT = 2 ** 31 - 1;

/** ModelProto: ir_version 1, producer_name 2, graph 7, opset_import 8. */
export function encodeModel(graph: OnnxGraph, opsets: readonly Opset[]): Uint8Array {
  const model = [
    int(1, IR_VERSION),
    string(2, "cloze"),
    message(7, graphFields(graph)),
    ...opsets.map(({ domain, version }) => message(8, [string(1, domain), int(2, version)])),
  ];
  const size = model.flat().reduce((n, b) => n + b.length, 0);
  invariant(size <= LIMIT, `an ONNX model of ${size} bytes: one file holds at most ${LIMIT}`);
  return join(model);
}

/** GraphProto: node 1, name 2, initializer 5, input 11, output 12. */
const graphFields = (g: OnnxGraph): readonly Field[] => [
  ...g.nodes.map((n) => message(1, nodeFields(n))),
  string(2, g.name),
  ...g.initializers.map((t) => message(5, tensorFields(t))),
  ...g.inputs.map((v) => message(11, valueFields(v))),
  ...g.outputs.map((v) => message(12, valueFields(v))),
];

/** NodeProto: input 1, output 2, name 3, op_type 4, attribute 5, domain 7. */
const nodeFields = (n: OnnxNode): readonly Field[] => [
  ...n.inputs.map((name) => string(1, name)),
  ...n.outputs.map((name) => string(2, name)),
  string(3, n.name),
  string(4, n.op),
  ...Object.entries(n.attributes).map(([name, value]) => message(5, [string(1, name), ...attributeFields(value)])),
  ...(n.domain === "" ? [] : [string(7, n.domain)]),
];

/** AttributeProto: f 2, i 3, s 4, ints 8, type 20 (FLOAT 1, INT 2, STRING 3, INTS 7). */
function attributeFields(value: Attribute): readonly Field[] {
  if ("float" in value) return [float(2, value.float), int(20, 1)];
  if ("int" in value) return [int(3, value.int), int(20, 2)];
  if ("text" in value) return [string(4, value.text), int(20, 3)];
  return [ints(8, value.ints), int(20, 7)];
}

/** TensorProto: dims 1, data_type 2, name 8, raw_data 9. */
const tensorFields = (t: Initializer): readonly Field[] => [
  ints(1, t.shape),
  int(2, DATA_TYPE[t.type]),
  string(8, t.name),
  bytes(9, t.data),
];

/**
 * ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1; Tensor: elem_type 1, shape 2; TensorShapeProto: dim 1;
 * Dimension: dim_value 1.
 */
const valueFields = (v: ValueInfo): readonly Field[] => [
  string(1, v.name),
  message(2, [
    message(1, [
      int(1, DATA_TYPE[v.type]),
      message(
        2,
        v.shape.map((d) => message(1, [int(1, d)])),
      ),
    ]),
  ]),
];
