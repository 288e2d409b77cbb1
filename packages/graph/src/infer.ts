/** Shape and dtype of every op: one table, which graph building and verification use. No backend checks a shape. */
import { invariant } from "@cloze/errors";
import { isFloat, sameShape, showShape, showType, sizeOf, type DType, type Shape, type TensorType } from "./dtype.ts";
import { DTypeError, ShapeError, showTypes } from "./errors.ts";
import type { Op, Ops } from "./op.ts";
import type { Tensor } from "./tensor.ts";

type Infer<P extends Op> = (args: Ops[P]["args"], attrs: Ops[P]["attrs"], path: string) => TensorType;

type Kind = "float" | "number" | "bool" | "i32" | "any";
const kinds: { readonly [K in Kind]: (dtype: DType) => boolean } = {
  float: isFloat,
  number: (d) => d !== "bool",
  bool: (d) => d === "bool",
  i32: (d) => d === "i32",
  any: () => true,
};

function need(op: string, kind: Kind, x: Tensor, path: string): void {
  if (!kinds[kind](x.dtype)) {
    throw new DTypeError(
      { op, path, expected: kind === "any" ? "any dtype" : `a ${kind} tensor`, got: showType(x) },
      "Cast it first.",
    );
  }
}

/** The shape that two shapes broadcast to by NumPy's rule; undefined where they do not broadcast together. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out.push(x === 1 ? y : x);
  }
  return out;
}

const unary =
  (op: Op, kind: Kind) =>
  ([x]: readonly [Tensor], _: unknown, path: string): TensorType => {
    need(op, kind, x, path);
    return { shape: x.shape, dtype: x.dtype };
  };

const binary =
  (op: Op, kind: Kind, result?: DType) =>
  ([a, b]: readonly [Tensor, Tensor], _: unknown, path: string): TensorType => {
    need(op, kind, a, path);
    if (a.dtype !== b.dtype)
      throw new DTypeError(
        { op, path, expected: "two tensors of one dtype", got: showTypes([a, b]) },
        "Cast one of them.",
      );
    const shape = broadcastShapes(a.shape, b.shape);
    if (!shape) throw new ShapeError({ op, path, expected: "shapes that broadcast together", got: showTypes([a, b]) });
    return { shape, dtype: result ?? a.dtype };
  };

const reduce =
  (op: Op, kind: Kind) =>
  ([x]: readonly [Tensor], { axes }: { readonly axes: readonly number[] }, path: string): TensorType => {
    need(op, kind, x, path);
    if (axes.some((a, i) => !(a >= 0 && a < x.shape.length) || (i > 0 && a <= (axes[i - 1] as number)))) {
      throw new ShapeError({ op, path, expected: `ascending axes of ${showType(x)}`, got: showShape(axes) });
    }
    if (op === "reduceMax" && axes.some((a) => x.shape[a] === 0))
      throw new ShapeError({ op, path, expected: "axes that are not empty", got: showType(x) });
    return { dtype: x.dtype, shape: x.shape.map((d, i) => (axes.includes(i) ? 1 : d)) };
  };

function checkShape(op: Op, shape: Shape, path: string): void {
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw new ShapeError({ op, path, expected: "a shape of whole numbers from 0", got: showShape(shape) });
  }
}

export const infer: { readonly [P in Op]: Infer<P> } = {
  input: (_, { shape, dtype }, path) => (checkShape("input", shape, path), { shape, dtype }),
  const: (_, { dtype }) => ({ shape: [], dtype }),
  iota: (_, { shape, axis }, path) => {
    checkShape("iota", shape, path);
    if (!(axis >= 0 && axis < shape.length))
      throw new ShapeError({ op: "iota", path, expected: `an axis of ${showShape(shape)}`, got: `axis ${axis}` });
    return { shape, dtype: "i32" };
  },
  randomBits: ([key], { shape, bits, stream }, path) => {
    checkShape("randomBits", shape, path);
    const forAll = sameShape(key.shape, [2]);
    const byRow = shape.length > 0 && sameShape(key.shape, [shape[0] as number, 2]);
    if (key.dtype !== "u32" || !(forAll || byRow))
      throw new ShapeError({
        op: "randomBits",
        path,
        expected: `a key for each row, u32${showShape([shape[0] ?? 1, 2])}, or one key u32[2] = (seed, step)`,
        got: showType(key),
      });
    if (!(Number.isInteger(bits) && bits >= 1 && bits <= 32))
      throw new ShapeError({ op: "randomBits", path, expected: "1 to 32 bits", got: `${bits}` });
    if (stream >>> 0 !== stream)
      throw new ShapeError({
        op: "randomBits",
        path,
        expected: "a stream number, an integer from 0 to 2^32 - 1",
        got: `${stream}`,
      });
    return { shape, dtype: "u32" };
  },
  neg: unary("neg", "number"),
  abs: unary("abs", "number"),
  exp: unary("exp", "float"),
  log: unary("log", "float"),
  sqrt: unary("sqrt", "float"),
  sin: unary("sin", "float"),
  cos: unary("cos", "float"),
  tanh: unary("tanh", "float"),
  erf: unary("erf", "float"),
  floor: unary("floor", "float"),
  not: unary("not", "bool"),
  detach: unary("detach", "any"),
  cast: ([x], { dtype }) => ({ shape: x.shape, dtype }),
  add: binary("add", "number"),
  sub: binary("sub", "number"),
  mul: binary("mul", "number"),
  div: binary("div", "number"),
  max: binary("max", "number"),
  min: binary("min", "number"),
  and: binary("and", "bool"),
  or: binary("or", "bool"),
  less: binary("less", "number", "bool"),
  equal: binary("equal", "any", "bool"),
  select: ([condition, a, b], _, path) => {
    need("select (condition)", "bool", condition, path);
    const branches = binary("select", "any")([a, b], {}, path);
    const shape = broadcastShapes(condition.shape, branches.shape);
    if (!shape)
      throw new ShapeError({
        op: "select",
        path,
        expected: "shapes that broadcast together",
        got: showTypes([condition, a, b]),
      });
    return { shape, dtype: a.dtype };
  },
  reduceSum: reduce("reduceSum", "number"),
  reduceMax: reduce("reduceMax", "number"),
  argMax: ([x], { axis }, path) => {
    const { shape } = reduce("argMax", "number")([x], { axes: [axis] }, path);
    if (x.shape[axis] === 0)
      throw new ShapeError({ op: "argMax", path, expected: "an axis that is not empty", got: showType(x) });
    return { shape, dtype: "i32" };
  },
  reshape: ([x], { shape }, path) => {
    checkShape("reshape", shape, path);
    if (sizeOf(shape) !== sizeOf(x.shape))
      throw new ShapeError({
        op: "reshape",
        path,
        expected: `a shape of ${sizeOf(x.shape)} elements, as ${showType(x)} has`,
        got: `${showShape(shape)} with ${sizeOf(shape)}`,
      });
    return { shape, dtype: x.dtype };
  },
  permute: ([x], { order }, path) => {
    if (
      !sameShape(
        [...order].sort((a, b) => a - b),
        x.shape.map((_, i) => i),
      )
    )
      throw new ShapeError({
        op: "permute",
        path,
        expected: `each axis of ${showType(x)} once`,
        got: showShape(order),
      });
    return { shape: order.map((i) => x.shape[i] as number), dtype: x.dtype };
  },
  broadcast: ([x], { shape }, path) => {
    checkShape("broadcast", shape, path);
    const together = broadcastShapes(x.shape, shape);
    if (!together || !sameShape(together, shape))
      throw new ShapeError({
        op: "broadcast",
        path,
        expected: `a shape that ${showType(x)} broadcasts to`,
        got: showShape(shape),
      });
    return { shape, dtype: x.dtype };
  },
  slice: ([x], { start, stop }, path) => {
    const fits =
      start.length === x.shape.length &&
      stop.length === x.shape.length &&
      x.shape.every(
        (d, i) => 0 <= (start[i] as number) && (start[i] as number) <= (stop[i] as number) && (stop[i] as number) <= d,
      );
    if (!fits)
      throw new ShapeError({
        op: "slice",
        path,
        expected: `start <= stop inside ${showType(x)}`,
        got: `${showShape(start)} to ${showShape(stop)}`,
      });
    return { shape: x.shape.map((_, i) => (stop[i] as number) - (start[i] as number)), dtype: x.dtype };
  },
  pad: ([x], { before, after }, path) => {
    if (
      before.length !== x.shape.length ||
      after.length !== x.shape.length ||
      [...before, ...after].some((n) => !(Number.isSafeInteger(n) && n >= 0))
    ) {
      throw new ShapeError({
        op: "pad",
        path,
        expected: `counts from 0 for each axis of ${showType(x)}`,
        got: `${showShape(before)} before and ${showShape(after)} after`,
      });
    }
    return { shape: x.shape.map((d, i) => d + (before[i] as number) + (after[i] as number)), dtype: x.dtype };
  },
  concat: (args, { axis }, path) => {
    const first = args[0];
    if (first === undefined) throw new ShapeError({ op: "concat", path, expected: "at least one tensor", got: "none" });
    const fits =
      axis >= 0 &&
      axis < first.shape.length &&
      args.every(
        (x) =>
          x.dtype === first.dtype &&
          x.shape.length === first.shape.length &&
          x.shape.every((d, i) => i === axis || d === first.shape[i]),
      );
    if (!fits)
      throw new ShapeError({
        op: "concat",
        path,
        expected: `tensors equal but for axis ${axis}`,
        got: showTypes(args),
      });
    return {
      dtype: first.dtype,
      shape: first.shape.map((d, i) => (i === axis ? args.reduce((n, x) => n + (x.shape[axis] as number), 0) : d)),
    };
  },
  matmul: ([a, b], { transposeA, transposeB, dtype }, path) => {
    need("matmul", "float", a, path);
    if (a.dtype !== b.dtype)
      throw new DTypeError(
        { op: "matmul", path, expected: "two tensors of one dtype", got: showTypes([a, b]) },
        "Cast one of them.",
      );
    if (!isFloat(dtype)) throw new DTypeError({ op: "matmul", path, expected: "a float result", got: dtype });
    const rank = a.shape.length;
    const [m, k] = lastTwo(a.shape, transposeA);
    const [k2, n] = lastTwo(b.shape, transposeB);
    if (rank < 2 || b.shape.length !== rank || k !== k2 || !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))) {
      const how = transposeA || transposeB ? ` (transposeA=${transposeA}, transposeB=${transposeB})` : "";
      throw new ShapeError({
        op: "matmul",
        path,
        expected: `[..., m, k] x [..., k, n] with equal batch axes${how}`,
        got: showTypes([a, b]),
      });
    }
    return { dtype, shape: [...a.shape.slice(0, -2), m, n] };
  },
  gather: ([table, indices], _, path) => {
    need("gather (indices)", "i32", indices, path);
    if (table.shape.length === 0)
      throw new ShapeError({ op: "gather", path, expected: "a table with at least one axis", got: showType(table) });
    return { dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] };
  },
  scatterAdd: ([indices, updates], { size }, path) => {
    need("scatterAdd (indices)", "i32", indices, path);
    need("scatterAdd (updates)", "number", updates, path);
    const rank = indices.shape.length;
    checkShape("scatterAdd", [size], path);
    if (!sameShape(updates.shape.slice(0, rank), indices.shape))
      throw new ShapeError({
        op: "scatterAdd",
        path,
        expected: `updates that begin with the shape of the indices ${showType(indices)}`,
        got: showType(updates),
      });
    return { dtype: updates.dtype, shape: [size, ...updates.shape.slice(rank)] };
  },
  composite: (args, { composite, params, index }) => {
    const outputs = (args[0] as Tensor).graph.expansion(composite, args, params);
    const output = outputs[index];
    invariant(output !== undefined, `output ${index} of composite ${composite.name}, which has ${outputs.length}`);
    return { shape: output.shape, dtype: output.dtype };
  },
};

const lastTwo = (shape: Shape, transposed: boolean): readonly [number, number] => {
  const [r, c] = [shape[shape.length - 2] ?? 0, shape[shape.length - 1] ?? 0];
  return transposed ? [c, r] : [r, c];
};
