/**
 * The base ops as kernels of TensorFlow.js: one total table for all of its backends. Where a backend lacks a kernel, or
 * has a bad one, the row asks the builder or the device and uses other kernels.
 *
 *   u32        an int32 with the same bits; comparison, division and casts treat the sign bit
 *   transpose  for a product on wasm, a separate Transpose comes first, since the product kernel is 13 to 18 times
 *              slower with its transpose flags
 *   scatter    ScatterNd, but UnsortedSegmentSum on TensorFlow itself; on the other backends UnsortedSegmentSum reads
 *              the data once for every segment
 */
import { isFloat, sizeOf, type DType, type Node, type Op, type Shape, type Tensor } from "@cloze/graph";
import { together, type Builder, type Value } from "./builder.ts";
import { tfTypeOf } from "./host.ts";
import type { HostValues, TfDType } from "./tfjs.ts";

/** The differences between the backends of TensorFlow.js. */
export interface Device {
  /** The kernels are TensorFlow's own. */
  readonly native: boolean;
  /** Transposed operands of a product are transposed by a separate kernel first. */
  readonly transposesFirst: boolean;
  /** The Multiply kernel multiplies integers as doubles, so large products lose their low bits. */
  readonly doubles: boolean;
  /** The Sum kernel adds one element after another in f32. */
  readonly sequentialSums: boolean;
}

type Lower<P extends Op> = (x: Node<P>, args: readonly Value[], b: Builder, device: Device) => Value;

/** Adds the calls of one node. `args` and the result may be smaller than their nodes (see `builder.ts`). */
export function lowerNode<P extends Op>(x: Node<P>, args: readonly Value[], b: Builder, device: Device): Value {
  if (sizeOf(x.shape) === 0) return b.constant(tfTypeOf(x.dtype), x.shape, hostValues(tfTypeOf(x.dtype), 0));
  return table[x.op as P](x, args, b, device);
}

export const hostValues = (dtype: TfDType, size: number): HostValues =>
  dtype === "float32" ? new Float32Array(size) : dtype === "int32" ? new Int32Array(size) : new Uint8Array(size);

const SIGN = -(2 ** 31);
const HALF = 65536;

const unary =
  (kernel: string) =>
  (_: Tensor, [x]: readonly Value[], b: Builder): Value =>
    b.unary(kernel, x as Value);
const binary =
  (kernel: string) =>
  (_: Tensor, [x, y]: readonly Value[], b: Builder): Value =>
    b.binary(kernel, x as Value, y as Value);
const whole = (x: Tensor, i: number, args: readonly Value[], b: Builder): Value =>
  b.full(args[i] as Value, (x.args[i] as Tensor).shape);

/** Maps u32 to i32 and keeps the order. The function is its own inverse. */
const flipped = (x: Value, b: Builder): Value => b.binary("Add", x, b.scalar("int32", SIGN));

/** A comparison, or a maximum or minimum. For u32 it is that of i32 with the sign bit flipped. */
const ordered =
  (kernel: string, backAgain: boolean) =>
  (x: Tensor, [p, q]: readonly Value[], b: Builder): Value => {
    if ((x.args[0] as Tensor).dtype !== "u32") return b.binary(kernel, p as Value, q as Value);
    const out = b.binary(kernel, flipped(p as Value, b), flipped(q as Value, b));
    return backAgain ? flipped(out, b) : out;
  };

/**
 * An integer as high * 65536 + low, with low in [0, 65536). FloorDiv may compute in f32, so where possible its dividend
 * has its low 16 bits cleared.
 */
function halves(x: Value, b: Builder): { readonly high: Value; readonly low: Value } {
  const by = b.scalar("int32", HALF);
  if (!b.has("BitwiseAnd")) {
    const high = floorDiv(x, HALF, b);
    return { high, low: b.binary("Sub", x, b.binary("Multiply", high, by)) };
  }
  const low = b.binary("BitwiseAnd", x, b.scalar("int32", HALF - 1));
  return { high: b.binary("FloorDiv", b.binary("Sub", x, low), by), low };
}

const floorDiv = (x: Value, by: number, b: Builder): Value => b.binary("FloorDiv", x, b.scalar("int32", by));

/**
 * x * y modulo 2^32 with a kernel that multiplies doubles. It uses the halves of y, whose products with x are exact.
 */
function wrappingProduct(x: Value, y: Value, b: Builder): Value {
  const { high, low } = halves(y, b);
  return b.binary(
    "Add",
    b.binary("Multiply", x, low),
    b.binary("Multiply", b.binary("Multiply", x, high), b.scalar("int32", HALF)),
  );
}

/** The product of integers, modulo 2^32. */
const times = (x: Value, y: Value, b: Builder, { doubles }: Device): Value =>
  doubles ? wrappingProduct(x, y, b) : b.binary("Multiply", x, y);

function multiply(x: Tensor, [p, q]: readonly Value[], b: Builder, device: Device): Value {
  return isFloat(x.dtype) ? b.binary("Multiply", p as Value, q as Value) : times(p as Value, q as Value, b, device);
}

/** A quotient; for integers it truncates toward zero. */
function divide(x: Tensor, [p, q]: readonly Value[], b: Builder, device: Device): Value {
  const n = p as Value;
  const d = q as Value;
  if (isFloat(x.dtype)) return b.binary("RealDiv", n, d);
  return x.dtype === "u32" ? unsignedQuotient(n, d, b, device) : truncatedQuotient(n, d, b, device);
}

const asInt = (x: Value, b: Builder): Value => b.cast(x, "int32");

function truncatedQuotient(n: Value, d: Value, b: Builder, device: Device): Value {
  const floor = b.binary("FloorDiv", n, d);
  const rest = b.binary("Sub", n, times(floor, d, b, device));
  const zero = b.scalar("int32", 0);
  const negative = b.binary(
    "NotEqual",
    b.cast(b.binary("Less", n, zero), "int32"),
    b.cast(b.binary("Less", d, zero), "int32"),
  );
  return b.binary("Add", floor, asInt(b.binary("LogicalAnd", negative, b.binary("NotEqual", rest, zero)), b));
}

/**
 * Unsigned division (Hacker's Delight 9-3): half the dividend is divided as signed, and the quotient is doubled. It is
 * one more if the rest is not less than the divisor.
 */
function unsignedQuotient(n: Value, d: Value, b: Builder, device: Device): Value {
  const zero = b.scalar("int32", 0);
  const big = b.binary("Less", d, zero);
  const safe = b.binary("Maximum", d, b.scalar("int32", 1));
  const half = b.binary(
    "Add",
    floorDiv(n, 2, b),
    b.binary("Multiply", asInt(b.binary("Less", n, zero), b), b.scalar("int32", SIGN)),
  );
  const quotient = b.binary("Multiply", b.binary("FloorDiv", half, safe), b.scalar("int32", 2));
  const rest = b.binary("Sub", n, times(quotient, safe, b, device));
  const small = b.binary(
    "Add",
    quotient,
    asInt(b.unary("LogicalNot", b.binary("Less", flipped(rest, b), flipped(safe, b))), b),
  );
  const large = asInt(b.unary("LogicalNot", b.binary("Less", flipped(n, b), flipped(d, b))), b);
  const bigInt = asInt(big, b);
  return b.binary(
    "Add",
    b.binary("Multiply", bigInt, large),
    b.binary("Multiply", b.binary("Sub", b.scalar("int32", 1), bigInt), small),
  );
}

function cast(x: Node<"cast">, [p]: readonly Value[], b: Builder): Value {
  const v = p as Value;
  const from = x.args[0].dtype;
  const to = x.dtype;
  if (from === to || (isInteger(from) && isInteger(to))) return v;
  if (to === "bool") return b.binary("NotEqual", v, b.scalar(tfTypeOf(from), 0));
  if (from === "u32" && to === "f32") {
    // Both halves are exact in f32, and so is high * 2^16. Only the sum rounds.
    const { high, low } = halves(v, b);
    const unsigned = b.binary(
      "Add",
      high,
      b.binary("Multiply", asInt(b.binary("Less", high, b.scalar("int32", 0)), b), b.scalar("int32", HALF)),
    );
    return b.binary(
      "Add",
      b.binary("Multiply", b.cast(unsigned, "float32"), b.scalar("float32", HALF)),
      b.cast(low, "float32"),
    );
  }
  if (from === "f32" && to === "u32") {
    const big = b.unary("LogicalNot", b.binary("Less", v, b.scalar("float32", 2 ** 31)));
    const shift = b.binary("Multiply", b.cast(big, "float32"), b.scalar("float32", 2 ** 32));
    return b.cast(b.binary("Sub", v, shift), "int32");
  }
  return b.cast(v, tfTypeOf(to));
}

const isInteger = (dtype: DType): boolean => dtype === "i32" || dtype === "u32";

/** The Select kernel needs three inputs of one shape, and on wasm it takes no bools. */
function select(x: Tensor, args: readonly Value[], b: Builder): Value {
  const [condition, t, e] = args as readonly [Value, Value, Value];
  if (x.dtype === "bool")
    return b.binary(
      "LogicalOr",
      b.binary("LogicalAnd", condition, t),
      b.binary("LogicalAnd", b.unary("LogicalNot", condition), e),
    );
  const shape = args.reduce((joint, v) => together(joint, v.shape), [] as Shape);
  const slot = (v: Value): number => b.full(v, shape).slot;
  return b.call("Select", { condition: slot(condition), t: slot(t), e: slot(e) }, shape);
}

const reduced =
  (kernel: "Sum" | "Max", name: string) =>
  (x: Node<"reduceSum"> | Node<"reduceMax">, args: readonly Value[], b: Builder, { sequentialSums }: Device): Value => {
    const from = x.args[0];
    const { axes } = x.attrs;
    const v = whole(x, 0, args, b);
    if (axes.every((a) => from.shape[a] === 1)) return v;
    if (sizeOf(from.shape) === 0) return b.full(b.scalar(tfTypeOf(x.dtype), 0), x.shape);
    const parts = kernel === "Sum" && sequentialSums && isFloat(x.dtype) ? partsOf(from.shape, axes) : undefined;
    if (parts !== undefined) {
      const rows = b.reshape(v, parts);
      const sum = (y: Value, axis: number): Value =>
        b.call("Sum", { x: y.slot }, parts.slice(0, axis), { axis: [axis], keepDims: false });
      return b.reshape(sum(sum(rows, 2), 1), x.shape);
    }
    const unsigned = kernel === "Max" && x.dtype === "u32";
    const out = b.call(kernel, { x: (unsigned ? flipped(v, b) : v).slot }, x.shape, {
      [name]: [...axes],
      keepDims: true,
    });
    return unsigned ? flipped(out, b) : out;
  };

/**
 * The shape [outer, parts, length of a part] that turns a long sum over the last axes into a sum of sums. Undefined for
 * other sums, and where the length has no divisor from 8 up to its square root.
 */
function partsOf(shape: Shape, axes: readonly number[]): Shape | undefined {
  const first = axes[0] ?? 0;
  const length = sizeOf(shape.slice(first));
  if (length < 4096 || axes.length !== shape.length - first) return undefined;
  let parts = Math.floor(Math.sqrt(length));
  while (length % parts !== 0) parts--;
  return parts < 8 ? undefined : [sizeOf(shape) / length, parts, length / parts];
}

function matmul(x: Node<"matmul">, args: readonly Value[], b: Builder, device: Device): Value {
  const sides = [x.attrs.transposeA, x.attrs.transposeB].map((transposed, i) => {
    const v = whole(x, i, args, b);
    const rank = v.shape.length;
    if (!transposed || !device.transposesFirst) return { v, transposed };
    return {
      v: b.transpose(
        v,
        [...v.shape.keys()].map((axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis)),
      ),
      transposed: false,
    };
  });
  if (sizeOf((x.args[0] as Tensor).shape) === 0) return b.full(b.scalar("float32", 0), x.shape);
  const [left, right] = sides as [(typeof sides)[0], (typeof sides)[0]];
  return b.call("BatchMatMul", { a: left.v.slot, b: right.v.slot }, x.shape, {
    transposeA: left.transposed,
    transposeB: right.transposed,
  });
}

function scatterAdd(x: Node<"scatterAdd">, args: readonly Value[], b: Builder, { native }: Device): Value {
  const indices = whole(x, 0, args, b);
  const updates = whole(x, 1, args, b);
  const count = sizeOf(indices.shape);
  const width = sizeOf(x.shape.slice(1));
  const { size } = x.attrs;
  if (count === 0) return b.full(b.scalar(tfTypeOf(x.dtype), 0), x.shape);
  const rows = b.reshape(updates, [count, width]);
  const sums = native
    ? b.call("UnsortedSegmentSum", { x: rows.slot, segmentIds: b.reshape(indices, [count]).slot }, [size, width], {
        numSegments: size,
      })
    : b.call("ScatterNd", { indices: b.reshape(indices, [count, 1]).slot, updates: rows.slot }, [size, width], {
        shape: [size, width],
      });
  return b.reshape(sums, x.shape);
}

function iota({ attrs: { shape, axis } }: Node<"iota">, _: readonly Value[], b: Builder): Value {
  const size = shape[axis] as number;
  return b.constant(
    "int32",
    shape.map((d, i) => (i === axis ? d : 1)),
    Int32Array.from({ length: size }, (__, i) => i),
  );
}

/** The kernel calls of each op. */
export const table: { readonly [P in Op]: Lower<P> } = {
  input: () => {
    throw new TypeError("inputs have slots of their own");
  },
  const: (x, _, b) => b.scalar(tfTypeOf(x.dtype), x.dtype === "u32" ? x.attrs.value | 0 : x.attrs.value),
  iota,
  randomBits: (x, [key], b) =>
    b.random({ key: (key as Value).slot, shape: x.shape, bits: x.attrs.bits, stream: x.attrs.stream }),
  neg: unary("Neg"),
  abs: (x, [v], b) => (x.dtype === "u32" ? (v as Value) : b.unary("Abs", v as Value)),
  exp: unary("Exp"),
  log: unary("Log"),
  sqrt: unary("Sqrt"),
  sin: unary("Sin"),
  cos: unary("Cos"),
  tanh: unary("Tanh"),
  erf: unary("Erf"),
  floor: unary("Floor"),
  not: unary("LogicalNot"),
  detach: (_, [v]) => v as Value,
  cast,
  add: binary("Add"),
  sub: binary("Sub"),
  mul: multiply,
  div: divide,
  max: ordered("Maximum", true),
  min: ordered("Minimum", true),
  and: binary("LogicalAnd"),
  or: binary("LogicalOr"),
  less: ordered("Less", false),
  equal: binary("Equal"),
  select,
  reduceSum: reduced("Sum", "axis"),
  reduceMax: reduced("Max", "reductionIndices"),
  argMax: (x, args, b) => {
    const { axis } = x.attrs;
    const v = whole(x, 0, args, b);
    const from = x.args[0].dtype === "u32" ? flipped(v, b) : v;
    return b.reshape(
      b.call(
        "ArgMax",
        { x: from.slot },
        from.shape.filter((_, i) => i !== axis),
        { axis },
      ),
      x.shape,
    );
  },
  reshape: (x, args, b) =>
    sizeOf((args[0] as Value).shape) === 1
      ? (args[0] as Value).shape.length <= x.rank
        ? (args[0] as Value)
        : b.reshape(args[0] as Value, [])
      : b.reshape(whole(x, 0, args, b), x.shape),
  permute: (x, args, b) => b.transpose(whole(x, 0, args, b), x.attrs.order),
  broadcast: (_, [v]) => v as Value,
  slice: (x, args, b) =>
    b.call("Slice", { x: whole(x, 0, args, b).slot }, x.shape, { begin: [...x.attrs.start], size: [...x.shape] }),
  pad: (x, args, b) =>
    b.call("PadV2", { x: whole(x, 0, args, b).slot }, x.shape, {
      paddings: x.attrs.before.map((n, i) => [n, x.attrs.after[i] as number]),
      constantValue: x.attrs.value,
    }),
  concat: (x, args, b) => {
    const parts = x.args.flatMap((a, i) => (sizeOf(a.shape) === 0 ? [] : [whole(x, i, args, b)]));
    if (parts.length === 1) return parts[0] as Value;
    return b.call(
      "Concat",
      parts.map((p) => p.slot),
      x.shape,
      { axis: x.attrs.axis },
    );
  },
  matmul,
  gather: (x, args, b) =>
    b.call("GatherV2", { x: whole(x, 0, args, b).slot, indices: whole(x, 1, args, b).slot }, x.shape, {
      axis: 0,
      batchDims: 0,
    }),
  scatterAdd,
  composite: (x, args, b, device) => {
    const row = composites[x.attrs.composite.name];
    if (row === undefined) throw new TypeError(`composite ${x.attrs.composite.name} is not one of this backend's`);
    return row.lower(
      x,
      args.map((_, i) => whole(x, i, args, b)),
      b,
      device,
    );
  },
};

interface CompositeRow {
  readonly applies?: (x: Node<"composite">) => boolean;
  readonly lower: Lower<"composite">;
}

/** The composites for which TensorFlow.js has a kernel. */
const composites: Readonly<Record<string, CompositeRow>> = {
  softmax: {
    applies: (x) => x.attrs.params.axis === x.rank - 1,
    lower: (x, [v], b) => b.call("Softmax", { logits: (v as Value).slot }, x.shape, { dim: x.rank - 1 }),
  },
  sigmoid: { lower: (_, [v], b) => b.unary("Sigmoid", v as Value) },
};

export const COMPOSITES: readonly string[] = Object.keys(composites);

/** Does this backend run the composite without expansion? */
export function isNative(x: Node<"composite">): boolean {
  const row = Object.hasOwn(composites, x.attrs.composite.name) ? composites[x.attrs.composite.name] : undefined;
  return row !== undefined && x.args.every((a) => a.dtype === "f32") && (row.applies?.(x) ?? true);
}
