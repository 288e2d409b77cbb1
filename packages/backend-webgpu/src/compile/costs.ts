/**
 * The costs by which fusion decides: the cost of computing a value again instead of keeping it in memory, and the
 * values in memory that this computation reads. Besides these, fusion looks only at ops and their groups.
 */
import { barrierComposite, groups, isOp, sizeOf, type Op, type Tensor } from "@cloze/graph";

/** Approximate f32 instructions an element. An op that is not listed costs 1 if it is elementwise, otherwise 0. */
const instructions: { readonly [P in Op]?: number } = {
  div: 4,
  exp: 8,
  log: 8,
  sqrt: 4,
  sin: 16,
  cos: 16,
  tanh: 10,
  erf: 20,
  randomBits: 80,
  gather: 2,
  concat: 2,
  pad: 2,
};

/** Ops that need a kernel of their own. No other kernel computes them inline. */
export const isHeavy = (x: Tensor): boolean =>
  x.op === "matmul" || x.op === "scatterAdd" || groups.reduce.has(x.op) || (x.op === "composite" && !isBarrier(x));

/** A barrier orders work: it has the value of its first argument, and may not run before its second. */
export const isBarrier = (x: Tensor): boolean => isOp(x, "composite") && x.attrs.composite === barrierComposite;

/** The args that the value of `x` depends on: for a barrier the first alone. */
export const valueArgs = (x: Tensor): readonly Tensor[] => (isBarrier(x) ? x.args.slice(0, 1) : x.args);

export const isReduce = (x: Tensor): boolean => groups.reduce.has(x.op);

export const isInput = (x: Tensor): boolean => x.op === "input";

/** Ops that move each element to exactly one new position. A kernel can apply them while it stores its results. */
export const isBijective = (x: Tensor): boolean => x.op === "reshape" || x.op === "permute" || isBarrier(x);

/** The price of a value that a kernel computes inline. */
export interface Inline {
  /** Instructions for one element. */
  readonly cost: number;
  /** The values in memory that the computation reads. */
  readonly reads: ReadonlySet<Tensor>;
  /** The values that the barriers inside the computation wait for. */
  readonly waits: ReadonlySet<Tensor>;
}

const nothing: Inline = { cost: 0, reads: new Set(), waits: new Set() };

/**
 * Costs and reads of values. `kept` says which values are in memory. Ask for values in the order of their ids. When
 * more values become kept, call `forget` and ask again.
 */
export class Costs {
  readonly #kept: (x: Tensor) => boolean;
  readonly #memo = new Map<Tensor, Inline>();

  constructor(kept: (x: Tensor) => boolean) {
    this.#kept = kept;
  }

  /** The price of using `x`: 0 if it is in memory, otherwise the price of computing it. */
  of(x: Tensor): Inline {
    if (this.#kept(x) || isInput(x) || isHeavy(x)) return { cost: 0, reads: new Set([x]), waits: nothing.waits };
    return this.making(x);
  }

  /** The price of computing `x`, even where it is kept. */
  making(x: Tensor): Inline {
    const known = this.#memo.get(x);
    if (known !== undefined) return known;
    let made: Inline;
    if (isHeavy(x)) made = { cost: 0, reads: new Set([x]), waits: nothing.waits };
    else if (x.args.length === 0) made = nothing;
    else {
      const parts = [...new Set(valueArgs(x))].map((a) => this.of(a));
      const own = instructions[x.op] ?? (groups.elementwise.has(x.op) && x.op !== "cast" ? 1 : 0);
      const reads = parts.length === 1 ? (parts[0] as Inline).reads : new Set(parts.flatMap((p) => [...p.reads]));
      const waits = parts.length === 1 ? (parts[0] as Inline).waits : new Set(parts.flatMap((p) => [...p.waits]));
      made = {
        cost: Math.min(
          1e6,
          parts.reduce((n, p) => n + p.cost, own),
        ),
        reads,
        waits: isBarrier(x) ? new Set([...waits, ...this.#after(x)]) : waits,
      };
    }
    this.#memo.set(x, made);
    return made;
  }

  /** The values that must be in memory before barrier `x` may run. */
  #after(x: Tensor): Iterable<Tensor> {
    const { reads, waits } = this.of(x.args[1] as Tensor);
    return [...reads, ...waits];
  }

  /** Drops all remembered prices, for use after a value became kept. */
  forget(): void {
    this.#memo.clear();
  }
}

/** Number of buffers that values take. Values of one element share one buffer, except inputs and results. */
export const bufferCount = (values: Iterable<Tensor>, results: ReadonlySet<Tensor>): number => {
  let scalars = 0;
  let others = 0;
  for (const x of values) {
    if (sizeOf(x.shape) <= 1 && !isOp(x, "input") && !results.has(x)) scalars = 1;
    else others += 1;
  }
  return scalars + others;
};
