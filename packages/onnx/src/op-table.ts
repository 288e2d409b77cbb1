/**
 * Base ops as ONNX nodes: one total table, a row an op.
 *
 * ONNX Runtime's CPU kernels do not exist for every element type. `via` gives the element type of the computation where
 * the carrier type has no kernel; both casts are exact. Results of 16-bit dtypes are rounded after each op, as in the
 * interpreter.
 */
import { invariant } from "@cloze/errors";
import {
  bfloat16ToNumber,
  float16ToNumber,
  groups,
  numberToBfloat16,
  numberToFloat16,
  sameShape,
  sizeOf,
  type DType,
  type Node,
  type Op,
} from "@cloze/graph";
import { carrier, MICROSOFT, type Attributes, type Emitter, type Value } from "./emitter.ts";
import type { ElementType } from "./model-proto.ts";
import { scaled } from "./operands.ts";
import { lowerRandomBits } from "./random-bits.ts";

/** `args` are the values of `operandsOf(x)`. */
export type Lower<P extends Op> = (x: Node<P>, args: readonly Value[], e: Emitter) => Value;

type Via = Partial<Record<DType, ElementType>>;

/** The lowering to the elementwise operator with this name. */
const elementwise =
  (op: string, via: Via = {}) =>
  (x: Node, args: readonly Value[], e: Emitter): Value => {
    const type = via[(x.args.at(-1) as Node).dtype];
    const inputs = args.map((a) => (type === undefined ? a : e.cast(a, type)));
    const result = groups.elementwise.has(x.op) && x.dtype === "bool" ? "bool" : (type ?? carrier[x.dtype]);
    return e.round(e.cast(e.emit(op, inputs, result, x.shape), carrier[x.dtype]), x.dtype);
  };

const reduce =
  (op: string, via: Via = {}) =>
  (x: Node<"reduceSum"> | Node<"reduceMax">, [a]: readonly Value[], e: Emitter): Value => {
    const source = a as Value;
    const type = via[x.dtype] ?? source.type;
    if (x.attrs.axes.length === 0) return source;
    if (sizeOf(source.shape) === 0) return e.full(carrier[x.dtype], x.shape, 0);
    const made = e.emit(op, [e.cast(source, type), e.list(x.attrs.axes)], type, x.shape, { keepdims: { int: 1 } });
    return e.round(e.cast(made, carrier[x.dtype]), x.dtype);
  };

/** The value of a constant in its dtype. */
const stored: { readonly [D in DType]: (value: number) => number } = {
  f32: (v) => v,
  f16: (v) => float16ToNumber(numberToFloat16(v)),
  bf16: (v) => bfloat16ToNumber(numberToBfloat16(v)),
  i32: (v) => v | 0,
  u32: (v) => v >>> 0,
  bool: (v) => (v ? 1 : 0),
};

export const opTable: { readonly [P in Op]: Lower<P> } = {
  input: (x) => invariant(false, `input "${x.attrs.name}" is no node of the model`) as never,
  const: (x, _, e) => e.scalar(carrier[x.dtype], stored[x.dtype](x.attrs.value)),
  iota: (x, _, e) => {
    const size = x.shape[x.attrs.axis] as number;
    const line = e.constant(
      "i32",
      x.shape.map((d, i) => (i === x.attrs.axis ? d : 1)),
      Array.from({ length: size }, (_, i) => i),
    );
    return sameShape(line.shape, x.shape) ? line : e.emit("Expand", [line, e.list(x.shape)], "i32", x.shape);
  },
  randomBits: (x, [key], e) => lowerRandomBits(x, key as Value, e),

  neg: elementwise("Neg", { u32: "i32" }),
  abs: elementwise("Abs"),
  exp: elementwise("Exp"),
  log: elementwise("Log"),
  sqrt: elementwise("Sqrt"),
  sin: elementwise("Sin"),
  cos: elementwise("Cos"),
  tanh: elementwise("Tanh"),
  erf: elementwise("Erf"),
  floor: elementwise("Floor"),
  not: elementwise("Not"),
  detach: (_, [a]) => a as Value,
  cast: (x, [a], e) => {
    const from = a as Value;
    const to = x.attrs.dtype;
    // Through 64 bits a float out of range wraps, as in the interpreter. A direct conversion would be undefined.
    if (from.type === "f32" && (to === "i32" || to === "u32")) return e.cast(e.cast(from, "i64"), to);
    return e.round(e.cast(from, carrier[to]), to);
  },

  add: elementwise("Add", { u32: "i32" }),
  sub: elementwise("Sub", { u32: "i32" }),
  mul: elementwise("Mul", { u32: "i32" }),
  div: (x, args, e) =>
    x.dtype === "i32" || x.dtype === "u32" ? divideIntegers(x, args, e) : elementwise("Div")(x, args, e),
  max: elementwise("Max"),
  min: elementwise("Min"),
  and: elementwise("And"),
  or: elementwise("Or"),
  less: elementwise("Less", { u32: "i64" }),
  equal: elementwise("Equal", { u32: "i32" }),
  select: (x, [condition, a, b], e) => {
    const type: ElementType = x.dtype === "bool" ? "u8" : x.dtype === "u32" ? "i32" : carrier[x.dtype];
    const made = e.emit("Where", [condition, e.cast(a as Value, type), e.cast(b as Value, type)], type, x.shape);
    return e.cast(made, carrier[x.dtype]);
  },

  reduceSum: reduce("ReduceSum", { u32: "i32" }),
  reduceMax: reduce("ReduceMax", { u32: "i64" }),
  argMax: (x, [a], e) => {
    const source = e.cast(a as Value, x.args[0].dtype === "u32" ? "f64" : (a as Value).type);
    return e.cast(
      e.emit("ArgMax", [source], "i64", x.shape, { axis: { int: x.attrs.axis }, keepdims: { int: 1 } }),
      "i32",
    );
  },

  reshape: (x, [a], e) => e.reshape(a as Value, x.shape),
  permute: (x, [a], e) => e.emit("Transpose", [a], (a as Value).type, x.shape, { perm: { ints: x.attrs.order } }),
  broadcast: (x, [a], e) => e.emit("Expand", [a, e.list(x.shape)], (a as Value).type, x.shape),
  slice: (x, [a], e) => {
    const { start, stop } = x.attrs;
    const source = a as Value;
    const cut = source.shape.flatMap((d, i) => (start[i] === 0 && stop[i] === d ? [] : [i]));
    const pick = (values: readonly number[]): Value => e.list(cut.map((i) => values[i] as number));
    return cut.length === 0
      ? source
      : e.emit("Slice", [source, pick(start), pick(stop), e.list(cut)], source.type, x.shape);
  },
  pad: (x, [a], e) => {
    const source = a as Value;
    const { before, after, value } = x.attrs;
    const filler = stored[x.dtype](value);
    if (sizeOf(source.shape) === 0) return e.full(source.type, x.shape, filler);
    return e.emit("Pad", [source, e.list([...before, ...after]), e.scalar(source.type, filler)], source.type, x.shape, {
      mode: { text: "constant" },
    });
  },
  concat: (x, args, e) => {
    const filled = args.filter((a) => sizeOf(a.shape) > 0);
    return filled.length === 1
      ? (filled[0] as Value)
      : e.emit("Concat", filled, carrier[x.dtype], x.shape, { axis: { int: x.attrs.axis } });
  },

  matmul: lowerProduct,
  gather: (x, [table, indices], e) =>
    e.emit("Gather", [table, indices], (table as Value).type, x.shape, { axis: { int: 0 } }),
  scatterAdd: lowerScatterAdd,

  composite: (x) =>
    invariant(
      false,
      `composite ${x.attrs.composite.name} reached the model: lower the program with native = nativeIn(program) first`,
    ) as never,
};

/**
 * Gemm for matrices, MatMul where nothing is transposed, scaled or added, else ONNX Runtime's FusedMatMul. A third arg
 * is a bias.
 */
export function lowerProduct(x: Node<"matmul">, args: readonly Value[], e: Emitter): Value {
  const [a, b, bias] = args as [Value, Value, Value?];
  const { transposeA, transposeB, dtype } = x.attrs;
  if (sizeOf(a.shape) === 0 || sizeOf(b.shape) === 0) return e.full("f32", x.shape, 0);
  const alpha = x.args.reduce((product, arg) => product * scaled(arg).by, 1);
  const plain = alpha === 1 && bias === undefined && !transposeB;
  if (plain && !transposeA) return e.round(e.emit("MatMul", [a, b], "f32", x.shape), dtype);
  if (plain && x.shape.length === 2)
    return e.round(lowerOuterProduct(a, b, x.shape as readonly [number, number], e), dtype);
  const how: Attributes = {
    transA: { int: Number(transposeA) },
    transB: { int: Number(transposeB) },
    alpha: { float: alpha },
  };
  const made =
    x.shape.length === 2
      ? e.emit("Gemm", bias === undefined ? [a, b] : [a, b, bias], "f32", x.shape, how)
      : e.emit("FusedMatMul", [a, b], "f32", x.shape, how, MICROSOFT);
  return e.round(made, dtype);
}

/**
 * A^T B of matrices: the gradient of every weight. A transpose of the smaller side and then MatMul takes 15 % less time
 * than Gemm's own transposed path (1024 x 256 and 1024 x 1024, one thread).
 */
function lowerOuterProduct(a: Value, b: Value, [m, n]: readonly [number, number], e: Emitter): Value {
  const flipped = (v: Value): Value =>
    e.emit("Transpose", [v], v.type, [...v.shape].reverse(), { perm: { ints: [1, 0] } });
  return m <= n
    ? e.emit("MatMul", [flipped(a), b], "f32", [m, n])
    : flipped(e.emit("MatMul", [flipped(b), a], "f32", [n, m]));
}

/** Divides in 64 bits, where nothing overflows. x / 0 is 0, as in the interpreter; the processor would trap. */
function divideIntegers(x: Node<"div">, args: readonly Value[], e: Emitter): Value {
  const [a, b] = args.map((v) => e.cast(v, "i64")) as [Value, Value];
  const zero = e.scalar("i64", 0);
  const isZero = e.emit("Equal", [b, zero], "bool", b.shape);
  const safe = e.emit("Where", [isZero, e.scalar("i64", 1), b], "i64", b.shape);
  const quotient = e.emit("Div", [a, safe], "i64", x.shape);
  return e.cast(e.emit("Where", [isZero, zero, quotient], "i64", x.shape), carrier[x.dtype]);
}

/**
 * Up to this number of rows, and from this number of numbers to add, a product with ones and zeros is faster: 0.1 ms
 * instead of 1.0 ms at 33 x 1024 x 256.
 */
const ONE_HOT = { rows: 256, numbers: 2 ** 15 } as const;

/**
 * The lowering of scatterAdd. It never uses ScatterND(reduction=add), which loses updates with more than one thread.
 */
function lowerScatterAdd(x: Node<"scatterAdd">, [indices, updates]: readonly Value[], e: Emitter): Value {
  const type: ElementType = x.dtype === "u32" ? "i32" : carrier[x.dtype];
  const { size } = x.attrs;
  const width = sizeOf(x.shape.slice(1));
  if (sizeOf((updates as Value).shape) === 0) return e.full(carrier[x.dtype], x.shape, 0);
  const count = sizeOf((indices as Value).shape);
  const rows = e.cast(e.reshape(updates as Value, [count, width]), type);
  const sums = type === "f32" && size <= ONE_HOT.rows && count * width >= ONE_HOT.numbers ? byProduct() : byElement();
  return e.reshape(e.round(e.cast(sums, carrier[x.dtype]), x.dtype), x.shape);

  function byProduct(): Value {
    const ids = e.constant(
      "i32",
      [size, 1],
      Array.from({ length: size }, (_, i) => i),
    );
    const chosen = e.emit("Equal", [ids, e.reshape(indices as Value, [1, count])], "bool", [size, count]);
    return e.emit("MatMul", [e.cast(chosen, "f32"), rows], "f32", [size, width]);
  }
  function byElement(): Value {
    const index = e.emit("Expand", [e.reshape(indices as Value, [count, 1]), e.list([count, width])], "i32", [
      count,
      width,
    ]);
    return e.emit("ScatterElements", [e.full(type, [size, width], 0), index, rows], type, [size, width], {
      axis: { int: 0 },
      reduction: { text: "add" },
    });
  }
}
