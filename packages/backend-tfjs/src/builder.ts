/**
 * The builder of a flat list of kernel calls over numbered slots. A slot is filled once and emptied after its last
 * reader.
 *
 * A value may be smaller than its node. A broadcast value stays small until a kernel needs the whole (`full`), since
 * every elementwise kernel of TensorFlow.js broadcasts by itself.
 */
import { sameShape, sizeOf, type Shape } from "@cloze/graph";
import type { HostValues, TfDType } from "./tfjs.ts";

export type Slot = number;

/** A filled slot with its actual shape. */
export interface Value {
  readonly slot: Slot;
  readonly shape: Shape;
}

export interface KernelCall {
  readonly kernel: string;
  /** Input slots by name. The inputs of a concatenation are a list. */
  readonly inputs: Readonly<Record<string, Slot>> | readonly Slot[];
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly out: Slot;
  /** Layer path of the node, for errors. */
  readonly path: string;
}

/** Random bits, which the host draws, because TensorFlow.js has no 32-bit integers that wrap and shift. */
export interface RandomCall {
  readonly random: { readonly key: Slot; readonly shape: Shape; readonly bits: number; readonly stream: number };
  readonly out: Slot;
  readonly path: string;
}

export type Call = KernelCall | RandomCall;

export interface Constant {
  readonly slot: Slot;
  readonly dtype: TfDType;
  readonly shape: Shape;
  readonly values: HostValues;
}

export class Builder {
  readonly calls: Call[] = [];
  readonly constants: Constant[] = [];
  readonly #has: (kernel: string) => boolean;
  readonly #constantOf = new Map<string, Value>();
  readonly #same = new Map<string, Value>();
  #slots = 0;
  path = "";

  /** `has` says whether the device has a kernel of this name. */
  constructor(has: (kernel: string) => boolean) {
    this.#has = has;
  }

  get slots(): number {
    return this.#slots;
  }

  has(kernel: string): boolean {
    return this.#has(kernel);
  }

  slot(): Slot {
    return this.#slots++;
  }

  /** Adds a kernel call. `shape` is that of the result. Equal calls on equal slots are made once. */
  call(kernel: string, inputs: KernelCall["inputs"], shape: Shape, attrs: KernelCall["attrs"] = {}): Value {
    const key = JSON.stringify([kernel, inputs, attrs]);
    const known = this.#same.get(key);
    if (known !== undefined) return known;
    const out = this.slot();
    this.calls.push({ kernel, inputs, attrs, out, path: this.path });
    const value = { slot: out, shape };
    this.#same.set(key, value);
    return value;
  }

  unary(kernel: string, x: Value): Value {
    return this.call(kernel, { x: x.slot }, x.shape);
  }

  /** An elementwise kernel of two arguments that broadcasts. */
  binary(kernel: string, a: Value, b: Value): Value {
    return this.call(kernel, { a: a.slot, b: b.slot }, together(a.shape, b.shape));
  }

  constant(dtype: TfDType, shape: Shape, values: HostValues): Value {
    const slot = this.slot();
    this.constants.push({ slot, dtype, shape, values });
    return { slot, shape };
  }

  scalar(dtype: TfDType, value: number): Value {
    const key = `${dtype} ${Object.is(value, -0) ? "-0" : value}`;
    const known = this.#constantOf.get(key);
    if (known !== undefined) return known;
    const values =
      dtype === "float32" ? Float32Array.of(value) : dtype === "int32" ? Int32Array.of(value) : Uint8Array.of(value);
    const made = this.constant(dtype, [], values);
    this.#constantOf.set(key, made);
    return made;
  }

  random(random: RandomCall["random"]): Value {
    const out = this.slot();
    this.calls.push({ random, out, path: this.path });
    return { slot: out, shape: random.shape };
  }

  reshape(x: Value, shape: Shape): Value {
    return sameShape(x.shape, shape) ? x : this.call("Reshape", { x: x.slot }, shape, { shape: [...shape] });
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.call(
      "Transpose",
      { x: x.slot },
      perm.map((p) => x.shape[p] as number),
      { perm: [...perm] },
    );
  }

  cast(x: Value, dtype: TfDType): Value {
    return this.call("Cast", { x: x.slot }, x.shape, { dtype });
  }

  /** The value expanded to `shape`, the shape of its node. */
  full(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) return x;
    const aligned = [...shape.map(() => 1).slice(x.shape.length), ...x.shape];
    const from = this.reshape(x, aligned);
    if (sizeOf(aligned) === sizeOf(shape)) return from;
    return this.call("Tile", { x: from.slot }, shape, { reps: shape.map((d, i) => (aligned[i] === d ? 1 : d)) });
  }
}

/** The broadcast shape of two shapes, which must fit. */
export function together(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    return x === 1 ? y : x;
  });
}
