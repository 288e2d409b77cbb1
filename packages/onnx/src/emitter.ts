/**
 * Emitter: the ONNX graph during its construction. Each constant and each cast exists once. Values have readable names.
 *
 * Floats of 16 bits are held as rounded f32: ONNX Runtime's CPU kernels are f32, and the interpreter too computes wide
 * and rounds each result. `carrier` gives the element type that holds a dtype.
 */
import { invariant } from "@cloze/errors";
import { sameShape, sizeOf, type DType, type Shape } from "@cloze/graph";
import { dataTypeOf, type Attribute, type ElementType, type Initializer, type OnnxNode } from "./model-proto.ts";

/** A tensor that a node can read. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
  /** True for an initializer. */
  readonly constant?: true;
}

export type Attributes = Readonly<Record<string, Attribute>>;

/** The element type that holds a dtype. */
export const carrier: { readonly [D in DType]: ElementType } = {
  f32: "f32",
  f16: "f32",
  bf16: "f32",
  i32: "i32",
  u32: "u32",
  bool: "bool",
};

export const MICROSOFT = "com.microsoft";

/** 16-bit floats are never constants: f32 holds them. */
const encode: { readonly [E in ElementType]?: (values: ArrayLike<number>) => ArrayBufferView } = {
  f32: (v) => Float32Array.from(v),
  f64: (v) => Float64Array.from(v),
  i32: (v) => Int32Array.from(v),
  u32: (v) => Uint32Array.from(v),
  u8: (v) => Uint8Array.from(v),
  bool: (v) => Uint8Array.from(v),
  i64: (v) => BigInt64Array.from(Array.from(v, BigInt)),
};

export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly #taken = new Set<string>();
  readonly #constants = new Map<string, Value>();
  readonly #shared = new Map<string, Value>();
  readonly #counts = new Map<string, number>();
  /** The place of the next nodes in the model: the first part of their names. */
  path = "";

  /** `wanted`, or `wanted` with the first free number behind it. */
  name(wanted: string): string {
    let name = wanted;
    for (let i = this.#counts.get(wanted) ?? 0; this.#taken.has(name); i++) {
      name = `${wanted}_${i + 1}`;
      this.#counts.set(wanted, i + 1);
    }
    this.#taken.add(name);
    return name;
  }

  /** One node with one output. */
  emit(
    op: string,
    inputs: readonly (Value | undefined)[],
    type: ElementType,
    shape: Shape,
    attributes: Attributes = {},
    domain = "",
  ): Value {
    return this.emitAll(op, inputs, [{ type, shape }], attributes, domain)[0] as Value;
  }

  /** One node with several outputs. An undefined output is left out. */
  emitAll(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly ({ readonly type: ElementType; readonly shape: Shape } | undefined)[],
    attributes: Attributes = {},
    domain = "",
  ): readonly (Value | undefined)[] {
    const name = this.name(this.path === "" ? op : `${this.path}/${op}`);
    const values = outputs.map((o, i) => o && { ...o, name: this.name(i === 0 ? `${name}:out` : `${name}:out${i}`) });
    this.nodes.push({
      op,
      domain,
      name,
      inputs: inputs.map((v) => v?.name ?? ""),
      outputs: values.map((v) => v?.name ?? ""),
      attributes,
    });
    return values;
  }

  constant(type: ElementType, shape: Shape, values: ArrayLike<number>): Value {
    const view = encode[type]?.(values);
    invariant(view !== undefined, `a constant of ${type}`);
    const data = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const key = `${type}[${shape.join()}]${data.length <= 64 ? data.join() : undefined}`;
    const known = data.length <= 64 ? this.#constants.get(key) : undefined;
    if (known !== undefined) return known;
    const made: Value = { name: this.name("constant"), type, shape, constant: true };
    this.initializers.push({ name: made.name, type, shape, data });
    this.#constants.set(key, made);
    return made;
  }

  scalar(type: ElementType, value: number): Value {
    return this.constant(type, [], [value]);
  }

  /** A list of integers: the form of shapes and axes in ONNX operators. */
  list(values: readonly number[]): Value {
    return this.constant("i64", [values.length], values);
  }

  full(type: ElementType, shape: Shape, value: number): Value {
    const scalar = this.scalar(type, value);
    if (shape.length === 0) return scalar;
    return sizeOf(shape) === 0
      ? this.constant(type, shape, [])
      : this.emit("Expand", [scalar, this.list(shape)], type, shape);
  }

  /** The value that `make` emits; `make` runs once for each key. */
  shared(key: string, make: () => Value): Value {
    const known = this.#shared.get(key);
    const made = known ?? make();
    if (known === undefined) this.#shared.set(key, made);
    return made;
  }

  cast(x: Value, type: ElementType): Value {
    return x.type === type
      ? x
      : this.shared(`${x.name} as ${type}`, () =>
          this.emit("Cast", [x], type, x.shape, { to: { int: dataTypeOf(type) } }),
        );
  }

  /** A value of the carrier type, rounded as in storage of `dtype`. */
  round(x: Value, dtype: DType): Value {
    return dtype === "f16" || dtype === "bf16" ? this.cast(this.cast(x, dtype), "f32") : x;
  }

  reshape(x: Value, shape: Shape): Value {
    return sameShape(x.shape, shape) ? x : this.emit("Reshape", [x, this.list(shape)], x.type, shape);
  }
}
