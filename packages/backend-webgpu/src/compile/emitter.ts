/**
 * The emitter of WGSL for the value of a node at an index. It loads a value that is in memory and computes every other
 * value inline. Movement ops become index arithmetic; they have no cost of their own.
 *
 * One emitter writes one function body. It names values and index terms once (`let`), inside the block that computes
 * them, and uses the name again later. With an index of four lanes the value is a vec4. Where the lanes are not
 * adjacent (a transpose of the last axis) the emitter computes the four one by one.
 */
import { invariant } from "@cloze/errors";
import { showType, sizeOf, type Node, type Op, type Shape, type Tensor } from "@cloze/graph";
import { add, constant, Index, scale, textOf, variable, type Atom, type Lin } from "./index-expr.ts";
import { isBarrier } from "./costs.ts";
import type { KernelText, Placed } from "./kernel-text.ts";
import { elementwise, isElementwise, literal, wgslType, type Lanes } from "./wgsl-ops.ts";

/** A value of a node at an index that a variable of the surrounding text already holds. */
export interface Known {
  readonly node: Tensor;
  readonly index: Index;
  readonly text: string;
}

interface Block {
  readonly lines: string[];
  readonly names: Map<string, string>;
}

export class Emitter {
  readonly kernel: KernelText;
  /** The place of a value in memory; undefined where the emitter must compute the value. */
  readonly #placeOf: (x: Tensor) => Placed | undefined;
  readonly #blocks: Block[] = [{ lines: [], names: new Map() }];
  readonly #counter: { next: number };

  constructor(kernel: KernelText, placeOf: (x: Tensor) => Placed | undefined) {
    this.kernel = kernel;
    this.#placeOf = placeOf;
    this.#counter = { next: 0 };
  }

  get #block(): Block {
    return this.#blocks.at(-1) as Block;
  }

  /** The statements written so far. */
  get lines(): readonly string[] {
    return (this.#blocks[0] as Block).lines;
  }

  line(text: string): void {
    this.#block.lines.push(text);
  }

  fresh(prefix: string): string {
    return `${prefix}${this.#counter.next++}`;
  }

  /** Writes `head` and a block with the statements of `write`. Names from inside the block are not visible after it. */
  block(head: string, write: () => void): void {
    const inner: Block = { lines: [], names: new Map() };
    this.#blocks.push(inner);
    write();
    this.#blocks.pop();
    this.line(`${head} {`);
    for (const l of inner.lines) this.line(`  ${l}`);
    this.line("}");
  }

  #named(key: string, prefix: string, make: () => string): string {
    for (const { names } of this.#blocks) {
      const known = names.get(key);
      if (known !== undefined) return known;
    }
    const text = make();
    if (/^[\w.]+$|^\(?-?[\d.e-]+[fiu]?\)?$/.test(text)) {
      this.#block.names.set(key, text);
      return text;
    }
    const name = this.fresh(prefix);
    this.line(`let ${name} = ${text};`);
    this.#block.names.set(key, name);
    return name;
  }

  /** Records that `text` holds the value of a node at an index. */
  know({ node, index, text }: Known): void {
    this.#block.names.set(valueKey(node, index), text);
  }

  /** WGSL, u32, for an index term. */
  index(x: Lin): string {
    return textOf(x, (atom: Atom, text: string) => this.#named(atom.key, "i", () => text));
  }

  /** WGSL for the value of `x` at `index`. */
  value(x: Tensor, index: Index): string {
    return this.#named(valueKey(x, index), "v", () => this.#make(x, index));
  }

  #make(x: Tensor, index: Index): string {
    const place = this.#placeOf(x);
    if (place !== undefined) return this.#load(x, place, index);
    if (isElementwise(x)) return this.#elementwise(x, index);
    return (table[x.op] as Emit<Op> | undefined)?.(x as Node, index, this) ?? this.lost(x);
  }

  lost(x: Tensor): never {
    return invariant(
      false,
      `${x.op} ${showType(x)} (${x.path}) is read where it is neither in memory nor computed`,
    ) as never;
  }

  #load(x: Tensor, { storage, offset, raw }: Placed, index: Index): string {
    const at = add(index.linear, constant(offset));
    const lanes = index.lanes;
    const text = this.kernel.load(storage, this.index(at), lanes);
    const type = wgslType(x.dtype, lanes);
    if (x.dtype === "bool") return `(${text} != ${wgslType("u32", lanes)}(0u))`;
    return raw && x.dtype !== "u32" ? `bitcast<${type}>(${text})` : text;
  }

  #elementwise(x: Tensor, index: Index): string {
    const args = x.args.map((a) => this.spread(a, index));
    if (x.op === "cast" && x.dtype === "f16") this.kernel.needF16();
    const ask = {
      lanes: index.lanes,
      call: (name: string, fn: string): string => (
        this.kernel.need(`${name}${index.lanes}`),
        index.lanes === 4 ? `${fn}4` : fn
      ),
    };
    const write = elementwise[x.op as keyof typeof elementwise] as (
      args: readonly string[],
      x: Tensor,
      ask: unknown,
    ) => string;
    return write(args, x, ask);
  }

  /** WGSL for `a` broadcast to the shape of `index`; a vec4 where `index` has four lanes. */
  spread(a: Tensor, index: Index): string {
    const own = broadcastIndex(index, a.shape);
    const text = this.value(a, own);
    return own.lanes === index.lanes ? text : `${wgslType(a.dtype, index.lanes)}(${text})`;
  }

  /** A vec4 whose four values are computed one by one. */
  lanes(x: Tensor, index: Index): string {
    return `${wgslType(x.dtype, 4)}(${[0, 1, 2, 3].map((i) => this.value(x, index.lane(i))).join(", ")})`;
  }
}

const valueKey = (x: Tensor, index: Index): string => `${x.id}@${index.key}`;

/** The index, in a tensor of `shape`, of the element that a broadcast puts at `index`. */
export function broadcastIndex(index: Index, shape: Shape): Index {
  if (shape.length === index.shape.length && shape.every((d, i) => d === index.shape[i])) return index;
  const lead = index.shape.length - shape.length;
  const last = shape.length - 1;
  const axes = shape.map((d, i) =>
    d === 1 && index.shape[lead + i] !== 1 ? constant(0) : (index.axes[lead + i] as Lin),
  );
  const lanes: Lanes = index.lanes === 4 && last >= 0 && shape[last] === index.shape[lead + last] ? 4 : 1;
  return Index.at(shape, axes, lanes);
}

type Emit<P extends Op> = (x: Node<P>, index: Index, e: Emitter) => string;

const vec = (index: Index): boolean => index.lanes === 4;
const lastOf = (shape: Shape): number => shape.at(-1) ?? 1;

/** The number of the middle indices: the first middle axis counts fastest (`randomBits`). */
function middleNumber(axes: readonly Lin[], shape: Shape): Lin {
  let number = constant(0);
  let weight = 1;
  for (let i = 1; i < shape.length - 1; i++) {
    number = add(number, scale(axes[i] as Lin, weight));
    weight *= shape[i] as number;
  }
  return number;
}

/** Ops that the emitter can compute inline at any index. The elementwise ops have a table of their own. */
const table: { readonly [P in Op]?: Emit<P> } = {
  const: (x, index, e) => {
    const { text, needs } = literal(x.attrs.value, x.dtype);
    if (needs !== undefined) e.kernel.need(needs);
    return vec(index) ? `${wgslType(x.dtype, 4)}(${text})` : text;
  },
  iota: (x, index, e) => {
    const { axis } = x.attrs;
    const text = `i32(${e.index(index.axes[axis] as Lin)})`;
    if (!vec(index)) return text;
    return axis === x.rank - 1 ? `(vec4<i32>(${text}) + vec4<i32>(0, 1, 2, 3))` : `vec4<i32>(${text})`;
  },
  randomBits: (x, index, e) => {
    const { bits, stream } = x.attrs;
    const key = x.args[0];
    const byRow = key.rank === 2;
    // Four elements of one call belong to one row.
    if (byRow && vec(index) && (x.rank < 2 || lastOf(x.shape) % 4 !== 0)) {
      const each = [0, 1, 2, 3].map((i) => e.value(x, Index.linear(x.shape, add(index.linear, constant(i)))));
      return `vec4<u32>(${each.join(", ")})`;
    }
    e.kernel.need(`threefry${index.lanes}`);
    const u32 = wgslType("u32", index.lanes);
    const spread = (base: string): string => (vec(index) ? `(${u32}(${base}) + ${u32}(0u, 1u, 2u, 3u))` : base);
    const streamText = e.kernel.param(stream);
    const { axes } = index;
    const row = axes[0] as Lin;
    const words = [0, 1].map((i) =>
      e.value(key, byRow ? Index.at(key.shape, [row, constant(i)]) : Index.at([2], [constant(i)])),
    );
    const call = (k: string, block: string, number: string, second: string): string =>
      `random_bits${vec(index) ? "4" : ""}(${k}, ${block}, ${number}, ${second})`;
    const half = Math.ceil(sizeOf(x.shape) / 2);
    const element = spread(e.index(byRow ? (x.rank < 2 ? constant(0) : (axes.at(-1) as Lin)) : index.linear));
    const drawn = byRow
      ? call(
          `vec2<u32>(${words[0]} ^ ${streamText}, ${words[1]})`,
          `${element} >> ${u32}(1u)`,
          e.index(middleNumber(axes, x.shape)),
          `(${element} & ${u32}(1u)) == ${u32}(1u)`,
        )
      : call(
          `vec2<u32>(${words.join(", ")})`,
          `select(${element}, ${element} - ${u32}(${half}u), ${element} >= ${u32}(${half}u))`,
          streamText,
          `${element} >= ${u32}(${half}u)`,
        );
    return bits === 32 ? drawn : `(${drawn} >> ${u32}(${32 - bits}u))`;
  },
  // A barrier has the value of its first argument.
  composite: (x, index, e) => (isBarrier(x) ? e.value(x.args[0] as Tensor, index) : e.lost(x)),
  reshape: (x, index, e) => {
    const from = x.args[0];
    return vec(index) && !index.flat && lastOf(from.shape) % 4 !== 0
      ? e.lanes(x, index)
      : e.value(from, index.reshaped(from.shape));
  },
  permute: (x, index, e) => {
    const { order } = x.attrs;
    const from = x.args[0];
    if (vec(index) && order.at(-1) !== x.rank - 1) return e.lanes(x, index);
    const axes = new Array<Lin>(x.rank);
    order.forEach((o, i) => {
      axes[o] = index.axes[i] as Lin;
    });
    return e.value(from, Index.at(from.shape, axes, index.lanes));
  },
  broadcast: (x, index, e) => e.spread(x.args[0], index),
  slice: (x, index, e) => {
    const { start } = x.attrs;
    const from = x.args[0];
    if (vec(index) && ((start.at(-1) as number) % 4 !== 0 || lastOf(from.shape) % 4 !== 0)) return e.lanes(x, index);
    return e.value(
      from,
      Index.at(
        from.shape,
        index.axes.map((a, i) => add(a, constant(start[i] as number))),
        index.lanes,
      ),
    );
  },
  pad: (x, index, e) => {
    const { before, value } = x.attrs;
    const from = x.args[0];
    if (vec(index) && ((before.at(-1) as number) % 4 !== 0 || lastOf(from.shape) % 4 !== 0)) return e.lanes(x, index);
    const inside = index.axes.flatMap((a, i) => {
      const low = before[i] as number;
      const high = low + (from.shape[i] as number);
      const text = e.index(a);
      return [
        ...(low > 0 ? [`${text} >= ${low}u`] : []),
        ...(high < (x.shape[i] as number) ? [`${text} < ${high}u`] : []),
      ];
    });
    const { text, needs } = literal(value, x.dtype);
    const out = e.fresh("p");
    if (needs !== undefined) e.kernel.need(needs);
    e.line(`var ${out} = ${wgslType(x.dtype, index.lanes)}(${text});`);
    e.block(inside.length > 0 ? `if (${inside.join(" && ")})` : "", () => {
      const axes = index.axes.map((a, i) => add(a, constant(-(before[i] as number))));
      e.line(`${out} = ${e.value(from, Index.at(from.shape, axes, index.lanes))};`);
    });
    return out;
  },
  concat: (x, index, e) => {
    const { axis } = x.attrs;
    const along = axis === x.rank - 1;
    if (vec(index) && along && x.args.some((a) => lastOf(a.shape) % 4 !== 0)) return e.lanes(x, index);
    const out = e.fresh("c");
    const text = e.index(index.axes[axis] as Lin);
    e.line(`var ${out}: ${wgslType(x.dtype, index.lanes)};`);
    let start = 0;
    const parts = x.args.filter((a) => sizeOf(a.shape) > 0);
    parts.forEach((a, i) => {
      const from = start;
      start += a.shape[axis] as number;
      e.block(`${i > 0 ? "else " : ""}${i < parts.length - 1 ? `if (${text} < ${start}u)` : ""}`, () => {
        const axes = index.axes.map((l, k) => (k === axis ? add(l, constant(-from)) : l));
        e.line(`${out} = ${e.value(a, Index.at(a.shape, axes, index.lanes))};`);
      });
    });
    return out;
  },
  gather: (x, index, e) => {
    const [tableArg, indices] = x.args;
    const rest = tableArg.rank - 1;
    if (vec(index) && rest === 0) return e.lanes(x, index);
    const row = e.value(indices, Index.at(indices.shape, index.axes.slice(0, indices.rank)));
    // The row becomes an atom of its own. For an index out of range WGSL reads the last row.
    const rows = tableArg.shape[0] as number;
    const name = e.fresh("r");
    e.line(`let ${name} = min(u32(${row}), ${rows - 1}u);`);
    return e.value(
      tableArg,
      Index.at(tableArg.shape, [variable(name, rows), ...index.axes.slice(indices.rank)], index.lanes),
    );
  },
};
