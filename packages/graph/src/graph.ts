/**
 * Graph: the only place that makes nodes, each node once. The same op, args and attrs give the same object
 * (hash-consing). So common subexpressions are shared for free, equality is `===`, and memo tables are Maps. There is
 * no global graph: code uses the graph that it holds.
 *
 * Ids ascend from arguments to results: sorting nodes by id is a topological order.
 */
import { invariant } from "@cloze/errors";
import type { Composite, Params } from "./composite.ts";
import type { DType, Shape } from "./dtype.ts";
import { DTypeError } from "./errors.ts";
import { infer } from "./infer.ts";
import type { Node, Op, Ops } from "./op.ts";
import { Tensor } from "./tensor.ts";

export class Graph {
  readonly #interned = new Map<string, Tensor>();
  readonly #inputs = new Map<string, Node<"input">>();
  readonly #composites = new Map<string, Composite>();
  readonly #expansions = new Map<string, readonly Tensor[]>();
  #path = "";
  #nextId = 0;

  /** Layer path that new nodes remember, e.g. `esm.encoder.layer.3.attention`. */
  get path(): string {
    return this.#path;
  }

  /** Number of nodes made so far. */
  get size(): number {
    return this.#nextId;
  }

  /** Runs `build`. The nodes that `build` makes have `path` as their layer path. */
  within<T>(path: string, build: () => T): T {
    const outer = this.#path;
    this.#path = path;
    try {
      return build();
    } finally {
      this.#path = outer;
    }
  }

  node<P extends Op>(op: P, args: Ops[P]["args"], attrs: Ops[P]["attrs"]): Node<P> {
    for (const arg of args) invariant(arg.graph === this, `${op} mixes tensors of two graphs`);
    const key = `${op}|${idsOf(args)}|${attrsKey(attrs)}`;
    const known = this.#interned.get(key);
    if (known !== undefined) return known as Node<P>;
    const { shape, dtype } = infer[op](args, attrs, this.#path);
    // The id is assigned after infer: the nodes of a composite's expansion get lower ids than the composite node.
    const made = new Tensor(this, this.#nextId++, op, args, attrs, dtype, shape, this.#path);
    this.#interned.set(key, made);
    return made as Node<P>;
  }

  /** A named tensor from outside. One name is one tensor. Throws DTypeError when the name exists with another type. */
  input<D extends DType>(name: string, dtype: D, shape: Shape): Tensor<D> {
    const known = this.#inputs.get(name);
    if (known && (known.dtype !== dtype || known.shape.join() !== shape.join())) {
      throw new DTypeError({
        op: `input "${name}"`,
        path: this.#path,
        expected: `the type it was declared with, ${known.dtype}[${known.shape.join(", ")}]`,
        got: `${dtype}[${shape.join(", ")}]`,
      });
    }
    const made = this.node("input", [], { name, shape, dtype });
    this.#inputs.set(name, made);
    return made as Tensor as Tensor<D>;
  }

  const<D extends DType>(value: number, dtype: D): Tensor<D> {
    return this.node("const", [], {
      value: dtype === "bool" ? Number(Boolean(value)) : value,
      dtype,
    }) as Tensor as Tensor<D>;
  }

  iota(shape: Shape, axis: number): Tensor<"i32"> {
    return this.node("iota", [], { shape, axis: axis < 0 ? axis + shape.length : axis }) as Tensor as Tensor<"i32">;
  }

  /** A constant of any shape: a broadcast scalar. */
  full<D extends DType>(shape: Shape, value: number, dtype: D): Tensor<D> {
    return this.const(value, dtype).broadcast(shape);
  }

  /** The same node over other args. Passes rebuild nodes with this method. */
  rebuild(x: Tensor, args: readonly Tensor[]): Tensor {
    if (args.every((a, i) => a === x.args[i])) return x;
    return this.within(x.path, () => this.node(x.op, args as Ops[Op]["args"], x.attrs));
  }

  /** Outputs of a composite over `args`, as nodes. */
  call(composite: Composite, args: readonly Tensor[], params: Params): readonly Tensor[] {
    const count = this.expansion(composite, args, params).length;
    return Array.from({ length: count }, (_, index) =>
      this.node("composite", args, { composite, params, index, count }),
    );
  }

  /** The expansion of a composite over `args`, built once. */
  expansion(composite: Composite, args: readonly Tensor[], params: Params): readonly Tensor[] {
    const named = this.#composites.get(composite.name);
    if (named !== composite) {
      invariant(named === undefined, `two composites are named "${composite.name}"`);
      this.#composites.set(composite.name, composite);
    }
    for (const arg of args) invariant(arg.graph === this, `${composite.name} mixes tensors of two graphs`);
    const key = `${composite.name}|${idsOf(args)}|${attrsKey(params)}`;
    let outputs = this.#expansions.get(key);
    if (outputs === undefined) {
      outputs = composite.expand(args, params);
      this.#expansions.set(key, outputs);
    }
    return outputs;
  }
}

function idsOf(args: readonly Tensor[]): string {
  let ids = "";
  for (const a of args) ids += `${a.id},`;
  return ids;
}

/**
 * Attributes as text. Different attributes give different texts: NaN, infinities and -0 included. Composites appear by
 * name.
 */
function attrsKey(attrs: object): string {
  let key = "";
  for (const name in attrs) key += `${name}=${valueKey((attrs as Readonly<Record<string, unknown>>)[name])};`;
  return key;
}

function valueKey(value: unknown): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : `${value}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) {
    let list = "[";
    for (const v of value) list += `${valueKey(v)},`;
    return `${list}]`;
  }
  // A composite means its expansion: its name stands for it (two composites of one name are an error).
  if (typeof value === "object" && value !== null)
    return "expand" in value && typeof value.expand === "function"
      ? `<${(value as Composite).name}>`
      : `{${attrsKey(value)}}`;
  return `${value as boolean | null | undefined}`;
}
