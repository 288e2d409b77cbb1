/**
 * What it costs to compute a value again instead of keeping it, and which values in memory that reads. Fusion decides
 * by these two numbers, by op and group, and by nothing else about a program.
 */
import { barrierComposite, groups, isOp, sizeOf, type Op, type Tensor } from "@cloze/graph";

/** f32 instructions an element, roughly; ops not listed cost 1 if elementwise and nothing otherwise. */
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

/** Ops that are whole kernels of their own, and are never computed on the way. */
export const isHeavy = (x: Tensor): boolean =>
  x.op === "matmul" || x.op === "scatterAdd" || groups.reduce.has(x.op) || (x.op === "composite" && !isBarrier(x));

/** Another name of its first argument, no sooner than its second. */
export const isBarrier = (x: Tensor): boolean => isOp(x, "composite") && x.attrs.composite === barrierComposite;

/** What the value of `x` is computed from. */
export const valueArgs = (x: Tensor): readonly Tensor[] => (isBarrier(x) ? x.args.slice(0, 1) : x.args);

export const isReduce = (x: Tensor): boolean => groups.reduce.has(x.op);

export const isInput = (x: Tensor): boolean => x.op === "input";

/** Ops that move every element to one place, or none: what a kernel may do to its results while it writes them. */
export const isBijective = (x: Tensor): boolean => x.op === "reshape" || x.op === "permute" || isBarrier(x);

export interface Inline {
  readonly cost: number;
  /** Values in memory it reads. */
  readonly reads: ReadonlySet<Tensor>;
  /** Values that barriers on the way wait for. */
  readonly waits: ReadonlySet<Tensor>;
}

const nothing: Inline = { cost: 0, reads: new Set(), waits: new Set() };

/** Costs and reads of values, given which are kept; ask in the order of ids, and again after more are kept. */
export class Costs {
  readonly #kept: (x: Tensor) => boolean;
  readonly #memo = new Map<Tensor, Inline>();

  constructor(kept: (x: Tensor) => boolean) {
    this.#kept = kept;
  }

  /** Of reading `x` where it is wanted. */
  of(x: Tensor): Inline {
    if (this.#kept(x) || isInput(x) || isHeavy(x)) return { cost: 0, reads: new Set([x]), waits: nothing.waits };
    return this.making(x);
  }

  /** Of computing `x`, whether it is kept or not. */
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

  /** What must be in memory before a barrier is passed. */
  #after(x: Tensor): Iterable<Tensor> {
    const { reads, waits } = this.of(x.args[1] as Tensor);
    return [...reads, ...waits];
  }

  /** Forgets what was said of `x`: it is kept from now on. */
  forget(): void {
    this.#memo.clear();
  }
}

/** Number of buffers that values take: those of one element share one, unless they are results. */
export const bufferCount = (values: Iterable<Tensor>, results: ReadonlySet<Tensor>): number => {
  let scalars = 0;
  let others = 0;
  for (const x of values) {
    if (sizeOf(x.shape) <= 1 && !isOp(x, "input") && !results.has(x)) scalars = 1;
    else others += 1;
  }
  return scalars + others;
};
