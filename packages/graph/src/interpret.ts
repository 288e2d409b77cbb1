/**
 * The definition of every op, in plain loops: slow and simple on purpose. It is the oracle of every backend, and in f64
 * mode the oracle of every gradient.
 *
 * A value holds decoded numbers. After each op the results are rounded to the op's dtype (f16, bf16, f32). In f64 mode
 * floats are never rounded.
 */
import { invariant } from "@cloze/errors";
import { isFloat, showType, sizeOf, type DType, type Shape } from "./dtype.ts";
import { erf } from "./erf.ts";
import { DTypeError } from "./errors.ts";
import { roundTo } from "./float16.ts";
import { broadcastShapes } from "./infer.ts";
import { isOp, type Node, type Op } from "./op.ts";
import { randomBits, rowBits } from "./random-bits.ts";
import type { Tensor } from "./tensor.ts";

export interface Value {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Row-major numbers; bools are 0 and 1. */
  readonly data: ArrayLike<number>;
}

export interface InterpretOptions {
  /** "f64" keeps every float in double precision; "native" rounds to each node's dtype. Default "native". */
  readonly precision?: "f64" | "native";
}

/** Values of `roots`. `env` holds row-major numbers by input name. */
export function interpret(
  roots: readonly Tensor[],
  env: Readonly<Record<string, ArrayLike<number>>>,
  options: InterpretOptions = {},
): Value[] {
  const nodes = interpretByNode(roots, env, options);
  for (;;) {
    const { done, value } = nodes.next();
    if (done === true) return value;
  }
}

/** `interpret` with a pause after each node, for a caller with other work to do. */
export function* interpretByNode(
  roots: readonly Tensor[],
  env: Readonly<Record<string, ArrayLike<number>>>,
  options: InterpretOptions = {},
): Generator<undefined, Value[]> {
  const exact = options.precision === "f64";
  const nodes = evaluationOrder(roots);
  const keep = new Set(roots);
  const values = new Map<Tensor, Value>();
  const readersLeft = new Map<Tensor, number>();
  for (const n of nodes) for (const a of needs(n)) readersLeft.set(a, (readersLeft.get(a) ?? 0) + 1);
  for (const n of nodes) {
    const args = needs(n);
    const raw = run(
      n as Node,
      args.map((a) => values.get(a) as Value),
      env,
    );
    values.set(n, { dtype: n.dtype, shape: n.shape, data: exact && isFloat(n.dtype) ? raw : store(raw, n.dtype) });
    for (const a of args) {
      const left = (readersLeft.get(a) as number) - 1;
      readersLeft.set(a, left);
      if (left === 0 && !keep.has(a)) values.delete(a);
    }
    yield;
  }
  return roots.map((r) => values.get(r) as Value);
}

/** The nodes from whose values a node's value is computed: its args; for a composite, one output of its expansion. */
const needs = (x: Tensor): readonly Tensor[] =>
  isOp(x, "composite")
    ? [x.graph.expansion(x.attrs.composite, x.args, x.attrs.params)[x.attrs.index] as Tensor]
    : x.args;

/**
 * All nodes that the values of `roots` need, in ascending order of ids. An expansion has a lower id than its composite.
 */
function evaluationOrder(roots: readonly Tensor[]): Tensor[] {
  const seen = new Set(roots);
  const stack = [...seen];
  for (let x = stack.pop(); x !== undefined; x = stack.pop()) {
    for (const a of needs(x)) {
      if (seen.has(a)) continue;
      seen.add(a);
      stack.push(a);
    }
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

const stores: { readonly [D in DType]: (n: number) => Float32Array | Int32Array | Uint32Array | Uint8Array } = {
  f32: (n) => new Float32Array(n),
  f16: (n) => new Float32Array(n),
  bf16: (n) => new Float32Array(n),
  i32: (n) => new Int32Array(n),
  u32: (n) => new Uint32Array(n),
  bool: (n) => new Uint8Array(n),
};

/**
 * The numbers rounded to `dtype`. Typed arrays of 32 bits round by themselves: floats to nearest, integers modulo 2^32.
 */
function store(raw: ArrayLike<number>, dtype: DType): ArrayLike<number> {
  const out = stores[dtype](raw.length);
  const round = dtype === "f16" || dtype === "bf16" || dtype === "bool" ? roundTo[dtype] : undefined;
  if (round === undefined) for (let i = 0; i < raw.length; i++) out[i] = raw[i] as number;
  else for (let i = 0; i < raw.length; i++) out[i] = round(raw[i] as number);
  return out;
}

type Env = Readonly<Record<string, ArrayLike<number>>>;
type Run<P extends Op> = (x: Node<P>, args: readonly Value[], env: Env) => ArrayLike<number>;

function run<P extends Op>(x: Node<P>, args: readonly Value[], env: Env): ArrayLike<number> {
  return table[x.op as P](x, args, env);
}

type Elementwise = (x: Tensor, args: readonly Value[]) => ArrayLike<number>;
const map =
  (f: (a: number) => number): Elementwise =>
  (x, [a]) => {
    const from = (a as Value).data;
    const out = new Float64Array(from.length);
    for (let i = 0; i < out.length; i++) out[i] = f(from[i] as number);
    return out;
  };
const zip =
  (f: (a: number, b: number, x: Tensor) => number): Elementwise =>
  (x, [a, b]) => {
    const va = spread(a as Value, x.shape);
    const vb = spread(b as Value, x.shape);
    const out = new Float64Array(va.length);
    for (let i = 0; i < out.length; i++) out[i] = f(va[i] as number, vb[i] as number, x);
    return out;
  };

export const table: { readonly [P in Op]: Run<P> } = {
  input: (x, _, env) => {
    const data = env[x.attrs.name];
    invariant(data !== undefined, `interpret: no value for input "${x.attrs.name}" ${showType(x)}`);
    if (data.length !== sizeOf(x.shape))
      throw new DTypeError({
        op: `input "${x.attrs.name}"`,
        path: x.path,
        expected: `${sizeOf(x.shape)} numbers for ${showType(x)}`,
        got: `${data.length}`,
      });
    return data;
  },
  const: (x) => [x.attrs.value],
  iota: (x) => {
    const inner = sizeOf(x.shape.slice(x.attrs.axis + 1));
    const size = x.shape[x.attrs.axis] as number;
    return fill(sizeOf(x.shape), (i) => Math.floor(i / inner) % size);
  },
  randomBits: ({ attrs: { shape, stream, bits }, args: [{ rank }] }, [key]) =>
    rank === 2
      ? rowBits((key as Value).data, stream, shape, bits)
      : randomBits([at(key, 0), at(key, 1)], stream, sizeOf(shape), bits),
  neg: map((a) => -a),
  abs: map(Math.abs),
  exp: map(Math.exp),
  log: map(Math.log),
  sqrt: map(Math.sqrt),
  sin: map(Math.sin),
  cos: map(Math.cos),
  tanh: map(Math.tanh),
  erf: map(erf),
  floor: map(Math.floor),
  not: map((a) => (a ? 0 : 1)),
  detach: map((a) => a),
  cast: (x, [a]) => {
    const to = x.attrs.dtype;
    const toInteger = to === "i32" || to === "u32";
    return fill(sizeOf(x.shape), (i) =>
      to === "bool" ? Number(at(a, i) !== 0) : toInteger ? Math.trunc(at(a, i)) : at(a, i),
    );
  },
  add: zip((a, b) => a + b),
  sub: zip((a, b) => a - b),
  mul: zip((a, b, x) => (isFloat(x.dtype) ? a * b : Math.imul(a, b))),
  div: zip((a, b, x) => (isFloat(x.dtype) ? a / b : Math.trunc(a / b))),
  max: zip((a, b) => Math.max(a, b)),
  min: zip((a, b) => Math.min(a, b)),
  and: zip((a, b) => a & b),
  or: zip((a, b) => a | b),
  less: zip((a, b) => Number(a < b)),
  equal: zip((a, b) => Number(a === b)),
  select: (x, [c, a, b]) => {
    const vc = spread(c as Value, x.shape);
    const va = spread(a as Value, x.shape);
    const vb = spread(b as Value, x.shape);
    return fill(sizeOf(x.shape), (i) => (vc[i] ? (va[i] as number) : (vb[i] as number)));
  },
  reduceSum: (x, [a]) => reduce(a as Value, x.shape, 0, (sum, v) => sum + v),
  reduceMax: (x, [a]) => reduce(a as Value, x.shape, -Infinity, Math.max),
  argMax: (x, [a]) => {
    const { axis } = x.attrs;
    const value = a as Value;
    const size = value.shape[axis] as number;
    const inner = sizeOf(value.shape.slice(axis + 1));
    return fill(sizeOf(x.shape), (i) => {
      const first = Math.floor(i / inner) * inner * size + (i % inner);
      let best = 0;
      for (let k = 1; k < size; k++) if (at(a, first + k * inner) > at(a, first + best * inner)) best = k;
      return best;
    });
  },
  reshape: (_, [a]) => (a as Value).data,
  permute: (x, [a]) => {
    const strides = stridesOf((a as Value).shape);
    const order = x.attrs.order;
    return gatherBy(
      x.shape,
      order.map((i) => strides[i] as number),
      0,
      a as Value,
    );
  },
  broadcast: (x, [a]) => spread(a as Value, x.shape),
  slice: (x, [a]) => {
    const strides = stridesOf((a as Value).shape);
    const first = x.attrs.start.reduce((s, n, i) => s + n * (strides[i] as number), 0);
    return gatherBy(x.shape, strides, first, a as Value);
  },
  pad: (x, [a]) => {
    const out = new Float64Array(sizeOf(x.shape)).fill(x.attrs.value);
    const strides = stridesOf(x.shape);
    const source = a as Value;
    const first = x.attrs.before.reduce((s, n, i) => s + n * (strides[i] as number), 0);
    each(source.shape, strides, first, (to, from) => {
      out[to] = at(source, from);
    });
    return out;
  },
  concat: (x, args) => {
    const out = new Float64Array(sizeOf(x.shape));
    const strides = stridesOf(x.shape);
    let offset = 0;
    for (const a of args) {
      each(a.shape, strides, offset * (strides[x.attrs.axis] as number), (to, from) => {
        out[to] = at(a, from);
      });
      offset += a.shape[x.attrs.axis] as number;
    }
    return out;
  },
  matmul: (x, [a, b]) => {
    const { transposeA, transposeB } = x.attrs;
    const va = a as Value;
    const vb = b as Value;
    const rank = x.shape.length;
    const m = x.shape[rank - 2] as number;
    const n = x.shape[rank - 1] as number;
    const k = va.shape[rank - (transposeA ? 2 : 1)] as number;
    const [sm, ska] = transposeA ? [1, m] : [k, 1];
    const [skb, sn] = transposeB ? [1, k] : [n, 1];
    const out = new Float64Array(sizeOf(x.shape));
    const da = Float64Array.from(va.data);
    const db = Float64Array.from(vb.data);
    for (let batch = 0; batch * m * n < out.length; batch++) {
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0, ia = batch * m * k + i * sm, ib = batch * k * n + j * sn; l < k; l++, ia += ska, ib += skb)
            sum += (da[ia] as number) * (db[ib] as number);
          out[(batch * m + i) * n + j] = sum;
        }
    }
    return out;
  },
  gather: (x, [t, indices]) => {
    const rows = (t as Value).shape[0] as number;
    const width = sizeOf((t as Value).shape.slice(1));
    return fill(sizeOf(x.shape), (i) =>
      at(t, checkIndex(at(indices, Math.floor(i / width)), rows, x) * width + (i % width)),
    );
  },
  scatterAdd: (x, [indices, updates]) => {
    const out = new Float64Array(sizeOf(x.shape));
    const width = sizeOf(x.shape.slice(1));
    const count = (indices as Value).data.length;
    for (let i = 0; i < count; i++) {
      const row = checkIndex(at(indices, i), x.attrs.size, x);
      for (let j = 0; j < width; j++)
        out[row * width + j] = (out[row * width + j] as number) + at(updates, i * width + j);
    }
    return out;
  },
  // The value of the matching output of the expansion: see needs().
  composite: (_, [value]) => (value as Value).data,
};

function checkIndex(index: number, size: number, x: Tensor): number {
  if (!(index >= 0 && index < size))
    throw new DTypeError({ op: x.op, path: x.path, expected: `indices in [0, ${size})`, got: `${index}` });
  return index;
}

const at = (v: Value | undefined, i: number): number => (v as Value).data[i] as number;

function fill(count: number, f: (i: number) => number): Float64Array {
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) out[i] = f(i);
  return out;
}

const stridesOf = (shape: Shape): number[] => shape.map((_, i) => sizeOf(shape.slice(i + 1)));

/** The data of `v` broadcast to `shape`. */
function spread(v: Value, shape: Shape): ArrayLike<number> {
  invariant(broadcastShapes(v.shape, shape) !== undefined, "interpret: shapes that do not broadcast");
  if (v.data.length === sizeOf(shape)) return v.data;
  if (v.data.length === 1) return new Float64Array(sizeOf(shape)).fill(at(v, 0));
  const lead = shape.length - v.shape.length;
  const own = stridesOf(v.shape);
  return gatherBy(
    shape,
    shape.map((_, i) => (i < lead || v.shape[i - lead] === 1 ? 0 : (own[i - lead] as number))),
    0,
    v,
  );
}

/** Calls visit(strided index, flat index) for every element of `shape`. */
function each(
  shape: Shape,
  strides: readonly number[],
  first: number,
  visit: (to: number, from: number) => void,
): void {
  const count = sizeOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  let to = first;
  for (let from = 0; from < count; from++) {
    visit(to, from);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      to += strides[axis] as number;
      if (++(index[axis] as number) < (shape[axis] as number)) break;
      to -= (strides[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
}

function gatherBy(shape: Shape, strides: readonly number[], first: number, source: Value): Float64Array {
  const out = new Float64Array(sizeOf(shape));
  each(shape, strides, first, (to, from) => {
    out[from] = at(source, to);
  });
  return out;
}

function reduce(v: Value, shape: Shape, start: number, f: (acc: number, x: number) => number): Float64Array {
  const out = new Float64Array(sizeOf(shape)).fill(start);
  const own = stridesOf(shape);
  each(
    v.shape,
    own.map((s, i) => (shape[i] === 1 && v.shape[i] !== 1 ? 0 : s)),
    0,
    (to, from) => {
      out[to] = f(out[to] as number, at(v, from));
    },
  );
  return out;
}
