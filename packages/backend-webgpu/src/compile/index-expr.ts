/**
 * Index arithmetic that simplifies while it is built. An expression is a sum of atoms with coefficients. An atom is a
 * variable, a quotient or a remainder. Movement ops become arithmetic on indices, and most of it cancels: after the
 * split of heads and their merge nothing is left.
 *
 *   (4 i + j) / 4 -> i  where j < 4          4 (x / 4) + x % 4 -> x          (x / 4) / 3 -> x / 12
 *
 * Quotients round down. A value may be negative (an index before the start of a padded tensor) only where nothing reads
 * the element at that index.
 */

export interface Atom {
  readonly kind: "var" | "div" | "mod";
  /** Text that identifies the atom. The key of a variable is its WGSL name. */
  readonly key: string;
  /** Largest value. */
  readonly max: number;
  /** Dividend and divisor of a quotient or remainder. */
  readonly of?: Lin;
  readonly by?: number;
}

/** A sum of atoms with coefficients `by`, and a constant `plus`. */
export interface Lin {
  /** Sorted by key; no coefficient is 0. */
  readonly terms: readonly { readonly atom: Atom; readonly by: number }[];
  readonly plus: number;
  readonly key: string;
  readonly max: number;
}

function make(terms: Lin["terms"], plus: number): Lin {
  const sorted = terms
    .filter((t) => t.by !== 0 && t.atom.max > 0)
    .sort((a, b) => (a.atom.key < b.atom.key ? -1 : a.atom.key > b.atom.key ? 1 : 0));
  return {
    terms: sorted,
    plus,
    key: [...sorted.map((t) => `${t.by}*${t.atom.key}`), `${plus}`].join("+"),
    max: sorted.reduce((n, t) => n + t.by * t.atom.max, plus),
  };
}

export const constant = (value: number): Lin => make([], value);

/** A u32 variable of the surrounding text, with 0 <= value < `extent`. */
export const variable = (name: string, extent: number): Lin =>
  make([{ atom: { kind: "var", key: name, max: extent - 1 }, by: 1 }], 0);

export const scale = (x: Lin, by: number): Lin =>
  make(
    x.terms.map((t) => ({ atom: t.atom, by: t.by * by })),
    x.plus * by,
  );

export function add(...parts: readonly Lin[]): Lin {
  const sum = new Map<string, { atom: Atom; by: number }>();
  let plus = 0;
  for (const part of parts) {
    plus += part.plus;
    for (const { atom, by } of part.terms) sum.set(atom.key, { atom, by: by + (sum.get(atom.key)?.by ?? 0) });
  }
  // c (x / c) + x % c -> x
  for (const { atom, by } of sum.values()) {
    if (atom.kind !== "mod" || by === 0) continue;
    const [quotient, ...others] = divide(atom.of as Lin, atom.by as number).terms;
    const whole = quotient && sum.get(quotient.atom.key);
    if (quotient?.by !== 1 || others.length > 0 || whole?.by !== by * (atom.by as number)) continue;
    sum.delete(atom.key);
    sum.delete(whole.atom.key);
    return add(make([...sum.values()], plus), scale(atom.of as Lin, by));
  }
  return make([...sum.values()], plus);
}

/** Splits off the terms that are multiples of `by`: x = by * whole + rest. */
function split(x: Lin, by: number): { readonly whole: Lin; readonly rest: Lin } {
  const inside = x.terms.filter((t) => t.by % by === 0);
  const carry = Math.floor(x.plus / by);
  return {
    whole: make(
      inside.map((t) => ({ atom: t.atom, by: t.by / by })),
      carry,
    ),
    rest: make(
      x.terms.filter((t) => t.by % by !== 0),
      x.plus - carry * by,
    ),
  };
}

/**
 * x = unit * whole + rest with rest < unit. `unit` is the largest coefficient that divides `by` and allows this.
 * Undefined where no coefficient does.
 */
function inUnits(x: Lin, by: number): { readonly unit: number; readonly whole: Lin; readonly rest: Lin } | undefined {
  for (const unit of x.terms
    .map((t) => t.by)
    .filter((c) => c > 1 && by % c === 0)
    .sort((a, b) => b - a)) {
    const { whole, rest } = split(x, unit);
    if (rest.max < unit) return { unit, whole, rest };
  }
  return undefined;
}

export function divide(x: Lin, by: number): Lin {
  if (by === 1) return x;
  const { whole, rest } = split(x, by);
  if (rest.max < by) return whole;
  const units = inUnits(rest, by);
  if (units !== undefined) return add(whole, divide(units.whole, by / units.unit));
  const [only] = rest.terms;
  // (x / a) / b -> x / (a b)
  if (only !== undefined && rest.terms.length === 1 && rest.plus === 0 && only.by === 1 && only.atom.kind === "div") {
    return add(whole, divide(only.atom.of as Lin, by * (only.atom.by as number)));
  }
  return add(
    whole,
    make(
      [{ atom: { kind: "div", key: `(${rest.key})/${by}`, max: Math.floor(rest.max / by), of: rest, by }, by: 1 }],
      0,
    ),
  );
}

export function modulo(x: Lin, by: number): Lin {
  const { rest } = split(x, by);
  if (rest.max < by) return rest;
  const units = inUnits(rest, by);
  if (units !== undefined) return add(scale(modulo(units.whole, by / units.unit), units.unit), units.rest);
  return make([{ atom: { kind: "mod", key: `(${rest.key})%${by}`, max: by - 1, of: rest, by }, by: 1 }], 0);
}

const stridesOf = (shape: readonly number[]): number[] => {
  const out = new Array<number>(shape.length);
  for (let i = shape.length - 1, n = 1; i >= 0; n *= shape[i--] as number) out[i] = n;
  return out;
};

export const linearOf = (axes: readonly Lin[], shape: readonly number[]): Lin => {
  const strides = stridesOf(shape);
  return add(constant(0), ...axes.map((a, i) => scale(a, strides[i] as number)));
};

export const axesOf = (linear: Lin, shape: readonly number[]): Lin[] => {
  const strides = stridesOf(shape);
  return shape.map((d, i) =>
    d === 1
      ? constant(0)
      : i === 0
        ? divide(linear, strides[i] as number)
        : modulo(divide(linear, strides[i] as number), d),
  );
};

/** WGSL, u32, for an expression. `name` may replace the text of a quotient or remainder by a variable's name. */
export function textOf(x: Lin, name: (atom: Atom, text: string) => string = (_, text) => text): string {
  const terms = x.terms.map(({ atom, by }) => {
    const own =
      atom.kind === "var"
        ? atom.key
        : name(atom, `${parenthesised(textOf(atom.of as Lin, name))} ${atom.kind === "div" ? "/" : "%"} ${atom.by}u`);
    const safe = atom.kind === "var" ? own : parenthesised(own);
    return by === 1 ? safe : `${safe} * ${by}u`;
  });
  if (x.plus > 0 || terms.length === 0) terms.push(`${x.plus}u`);
  const sum = terms.join(" + ");
  return x.plus < 0 && terms.length > 0 ? (x.terms.length === 0 ? `0u - ${-x.plus}u` : `${sum} - ${-x.plus}u`) : sum;
}

const parenthesised = (text: string): string => (/^[\w.]+$/.test(text) ? text : `(${text})`);

/** The index of an element of a tensor, as coordinates and as a row-major position. Each form is computed on demand. */
export class Index {
  readonly shape: readonly number[];
  /** 4: the index is of this element and of the next three along the last axis; the coordinate is a multiple of 4. */
  readonly lanes: 1 | 4;
  /** The four elements follow each other in row-major order, even past the end of the last axis. */
  readonly flat: boolean;
  #axes: readonly Lin[] | undefined;
  #linear: Lin | undefined;

  private constructor(
    shape: readonly number[],
    axes: readonly Lin[] | undefined,
    linear: Lin | undefined,
    lanes: 1 | 4,
    flat = false,
  ) {
    this.shape = shape;
    this.flat = flat;
    this.lanes = lanes;
    this.#axes = axes;
    this.#linear = linear;
  }

  static at(shape: readonly number[], axes: readonly Lin[], lanes: 1 | 4 = 1): Index {
    return new Index(shape, axes, undefined, lanes);
  }

  static linear(shape: readonly number[], linear: Lin, lanes: 1 | 4 = 1, flat = false): Index {
    return new Index(shape, undefined, linear, lanes, flat);
  }

  get axes(): readonly Lin[] {
    return (this.#axes ??= axesOf(this.#linear as Lin, this.shape));
  }

  get linear(): Lin {
    return (this.#linear ??= linearOf(this.#axes as readonly Lin[], this.shape));
  }

  get key(): string {
    return `${this.linear.key}:${this.lanes}`;
  }

  /** The same element of a tensor reshaped to `shape`. */
  reshaped(shape: readonly number[]): Index {
    return this.shape.length === shape.length && this.shape.every((d, i) => d === shape[i])
      ? this
      : new Index(shape, undefined, this.linear, this.lanes, this.flat);
  }

  /** The same index with four lanes or with one. */
  withLanes(lanes: 1 | 4): Index {
    return lanes === this.lanes ? this : new Index(this.shape, this.#axes, this.#linear, lanes, this.flat);
  }

  /** The index of lane `i` of four alone. */
  lane(i: number): Index {
    if (this.shape.length === 0) return this;
    return new Index(
      this.shape,
      this.axes.map((a, k) => (k === this.shape.length - 1 ? add(a, constant(i)) : a)),
      undefined,
      1,
    );
  }
}
