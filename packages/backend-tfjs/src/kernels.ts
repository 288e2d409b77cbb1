/**
 * Base ops as kernels of TensorFlow.js: one total table, the same for all its backends; where one lacks a kernel or
 * computes it badly, the row asks the builder and takes another way.
 *
 *   u32        int32 of the same bits; comparison, division and casts mind the sign bit
 *   transpose  of a product, on wasm: moved first, since the kernel is 13 to 18 times slower with its transposing flags
 *   scatter    ScatterNd, but on TensorFlow itself: the UnsortedSegmentSum of the others passes over the data once a
 *              segment
 */
import { isFloat, sizeOf, type DType, type Node, type Op, type Shape, type Tensor } from "@cloze/graph";
import { together, type Builder, type Value } from "./builder.ts";
import { tfTypeOf } from "./host.ts";
import type { HostValues, TfDType } from "./tfjs.ts";

/** What differs between the backends of TensorFlow.js. */
export interface Device {
  /** The kernels are TensorFlow's own. */
  readonly native: boolean;
  /** Products are computed from operands that lie as they are read. */
  readonly transposesFirst: boolean;
  /** Integers are multiplied as doubles, so that products of large ones lose their low bits. */
  readonly doubles: boolean;
  /** Sums are made one element after another in f32. */
  readonly sequentialSums: boolean;
}

type Lower<P extends Op> = (x: Node<P>, args: readonly Value[], b: Builder, device: Device) => Value;

/** `args` may be narrower than their nodes, and so may the result. */
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

/** Maps u32 to i32 in order. Its own inverse. */
const flipped = (x: Value, b: Builder): Value => b.binary("Add", x, b.scalar("int32", SIGN));

/** Comparison and extremes of u32 are those of i32 with the sign bit flipped. */
const ordered =
  (kernel: string, backAgain: boolean) =>
  (x: Tensor, [p, q]: readonly Value[], b: Builder): Value => {
    if ((x.args[0] as Tensor).dtype !== "u32") return b.binary(kernel, p as Value, q as Value);
    const out = b.binary(kernel, flipped(p as Value, b), flipped(q as Value, b));
    return backAgain ? flipped(out, b) : out;
  };

/**
 * An integer as high * 65536 + low, low in [0, 65536). A division may be made in f32, so what is divided has few bits.
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

/** x * y modulo 2^32 where a kernel multiplies doubles: by halves of y, whose products with x are exact. */
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

/** Quotients truncate toward zero. */
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
 * Hacker's Delight 9-3: half the dividend divided signed, doubled, and one more if the rest still holds the divisor.
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
    // Halves are exact in f32, and so is the upper one times 2^16: one rounding.
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

/** The kernel takes three of one shape, and no bools on wasm. */
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
 * A long sum over the last axes as a sum of sums: [outer, parts, length of one], where its length has a divisor for it.
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

/** What each op becomes. */
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

/** Composites that TensorFlow has a kernel for. */
const composites: Readonly<Record<string, CompositeRow>> = {
  softmax: {
    applies: (x) => x.attrs.params.axis === x.rank - 1,
    lower: (x, [v], b) => b.call("Softmax", { logits: (v as Value).slot }, x.shape, { dim: x.rank - 1 }),
  },
  sigmoid: { lower: (_, [v], b) => b.unary("Sigmoid", v as Value) },
};

export const COMPOSITES: readonly string[] = Object.keys(composites);

/** Whether a composite is taken whole. */
export function isNative(x: Node<"composite">): boolean {
  const row = Object.hasOwn(composites, x.attrs.composite.name) ? composites[x.attrs.composite.name] : undefined;
  return row !== undefined && x.args.every((a) => a.dtype === "f32") && (row.applies?.(x) ?? true);
}
