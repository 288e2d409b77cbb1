/**
 * A case: data with a name, a function that builds a graph for a dtype, and the draws of the inputs. A case has no
 * expected values: the interpreter computes them. Benchmarks measure the same cases.
 */
import type { DType, Graph, Tensor } from "@cloze/graph";

/** Rows of the tolerance table. */
export type OpClass =
  "exact" | "arithmetic" | "transcendental" | "reduction" | "contraction" | "composite" | "training";

/**
 * The draw of an input's numbers. Defaults: floats are uniform in [-2, 2), i32 in [-5, 5], u32 in [0, 9], and a bool is
 * true half of the time.
 */
export type Draw =
  | { readonly uniform: readonly [low: number, high: number] }
  /** Integers in [0, below). */
  | { readonly below: number }
  /** These values, repeated until the input is full. */
  | { readonly values: readonly number[] };

export interface Case {
  /** `group > what`. The name of a check adds dtype and direction: `group > what > f32 > gradient`. */
  readonly name: string;
  readonly tolerance: OpClass;
  /** The dtypes of the case. The suite skips a dtype that the backend does not claim. */
  readonly dtypes: readonly DType[];
  readonly build: (g: Graph, dtype: DType) => Tensor | readonly Tensor[];
  readonly inputs?: Readonly<Record<string, Draw>>;
  /**
   * False where there is no gradient to compare (integers, ties, NaN). Default: true where an output and an input are
   * floats.
   */
  readonly gradient?: boolean;
}

export const FLOATS: readonly DType[] = ["f32", "f16", "bf16"];
export const NUMBERS: readonly DType[] = [...FLOATS, "i32", "u32"];
export const ANY: readonly DType[] = [...NUMBERS, "bool"];
export const F32: readonly DType[] = ["f32"];
