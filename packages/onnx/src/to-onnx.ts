/**
 * A lowered graph as an ONNX model.
 *
 *   lower(program, { native: nativeIn(program) })  ->  toOnnx(...)  ->  bytes
 *
 * Node names begin with the layer path (`encoder.layers.3.attention/MatMul`), so a profile or an error names the layer.
 * Inputs and outputs keep their names. An output with the name of an input becomes `<name>.next`. Outside the model f16
 * and bf16 tensors are f32 too: see `emitter.ts`.
 */
import { invariant } from "@cloze/errors";
import { isOp, sizeOf, type HostTensor, type HostTensors, type Node, type Op, type Tensor } from "@cloze/graph";
import { compositeTable } from "./composite-table.ts";
import { carrier, Emitter, MICROSOFT, type Value } from "./emitter.ts";
import { encodeModel, type ElementType, type ValueInfo } from "./model-proto.ts";
import { lowerProduct, opTable } from "./op-table.ts";
import { readingOf } from "./operands.ts";
import { widen } from "./widen.ts";

/**
 * The ONNX version of the model. Every operator of the model is in ONNX since this version, or is an operator of
 * `com.microsoft` that ONNX Runtime has on every platform.
 */
export const OPSET = 23;

export interface OnnxParts {
  /**
   * Inputs in the order of the model's inputs. Inputs with a value in `values` become part of the model. Inputs that no
   * node reads are left out.
   */
  readonly inputs: readonly Node<"input">[];
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Parameters to store in the model. */
  readonly values?: HostTensors;
  readonly name?: string;
}

export interface OnnxModel {
  readonly bytes: Uint8Array;
  /** Inputs that the model reads, in order. */
  readonly inputs: readonly ValueInfo[];
  /** The model's outputs, by the names in `OnnxParts`. */
  readonly outputs: Readonly<Record<string, ValueInfo>>;
  /** Number of nodes of each operator. */
  readonly operators: ReadonlyMap<string, number>;
}

export function toOnnx(parts: OnnxParts): OnnxModel {
  const e = new Emitter();
  const { nodes, operands, products } = readingOf(Object.values(parts.outputs));
  const values = new Map<Tensor, Value>();
  const inputs: ValueInfo[] = [];
  const needed = new Set(nodes);

  for (const x of parts.inputs) {
    if (!needed.has(x)) continue;
    const name = e.name(x.attrs.name);
    const stored = parts.values?.[x.attrs.name];
    invariant(name === x.attrs.name, `two inputs named "${name}"`);
    const value: ValueInfo = { name, type: carrier[x.dtype], shape: x.shape };
    values.set(x, value);
    if (stored === undefined) inputs.push(value);
    else e.initializers.push({ ...value, data: bytesOf(widen(stored)) });
  }

  for (const x of nodes) {
    if (values.has(x)) continue;
    invariant(!isOp(x, "input"), `"${"name" in x.attrs ? String(x.attrs.name) : ""}" is read and not among the inputs`);
    e.path = x.path;
    const args = (operands.get(x) as readonly Tensor[]).map((a) => values.get(a) as Value);
    const product = products.get(x);
    if (sizeOf(x.shape) === 0) values.set(x, e.constant(carrier[x.dtype], x.shape, []));
    else if (product !== undefined) values.set(x, lowerProduct(product, args, e));
    else lowerInto(values, x, args, needed, e);
  }

  e.path = "";
  const renamed = new Map<string, string>();
  const outputs: Record<string, ValueInfo> = {};
  for (const [name, x] of Object.entries(parts.outputs)) {
    const value = values.get(x) as Value;
    const free =
      value.constant !== true &&
      !isOp(x, "input") &&
      !renamed.has(value.name) &&
      !inputs.some((i) => i.name === value.name);
    const made = free ? value : e.emit("Identity", [value], value.type, value.shape);
    const called = e.name(inputs.some((i) => i.name === name) ? `${name}.next` : name);
    renamed.set(made.name, called);
    outputs[name] = { name: called, type: made.type, shape: made.shape };
  }

  const call = (name: string): string => renamed.get(name) ?? name;
  const finished = e.nodes.map((n) => ({ ...n, inputs: n.inputs.map(call), outputs: n.outputs.map(call) }));
  const operators = new Map<string, number>();
  for (const n of finished) operators.set(n.op, (operators.get(n.op) ?? 0) + 1);
  const graph = {
    name: parts.name ?? "cloze",
    nodes: finished,
    initializers: e.initializers,
    inputs,
    outputs: Object.values(outputs),
  };
  return {
    bytes: encodeModel(graph, [
      { domain: "", version: OPSET },
      { domain: MICROSOFT, version: 1 },
    ]),
    inputs,
    outputs,
    operators,
  };
}

/** Lowers one node. For a composite, lowers all outputs. */
function lowerInto(
  values: Map<Tensor, Value>,
  x: Tensor,
  args: readonly Value[],
  needed: ReadonlySet<Tensor>,
  e: Emitter,
): void {
  if (!isOp(x, "composite")) {
    values.set(x, lowerNode(x as Node, args, e));
    return;
  }
  const { composite, params } = x.attrs;
  const row = compositeTable[composite.name];
  invariant(
    row !== undefined,
    `composite ${composite.name} reached the model: lower the program with native = nativeIn(program) first`,
  );
  const siblings = x.graph.call(composite, x.args, params);
  const made = row.lower(
    x,
    args,
    siblings.map((s) => needed.has(s)),
    e,
  );
  siblings.forEach((s, i) => {
    const value = made[i];
    if (value !== undefined) values.set(s, value);
  });
}

function lowerNode<P extends Op>(x: Node<P>, args: readonly Value[], e: Emitter): Value {
  return opTable[x.op as P](x, args, e);
}

const bytesOf = ({ data }: HostTensor): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

export type { ElementType, ValueInfo };
