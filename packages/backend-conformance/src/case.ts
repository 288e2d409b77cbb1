/**
 * A case is data: a name, a graph to build for a dtype, and how its inputs are drawn. It has no expected values: those
 * come from the interpreter. The same cases are what benches measure.
 */
import type { DType, Graph, Tensor } from "@cloze/graph";

/** Rows of the tolerance table. */
export type OpClass =
  "exact" | "arithmetic" | "transcendental" | "reduction" | "contraction" | "composite" | "training";

/**
 * How the numbers of an input are drawn. Floats default to uniform in [-2, 2), integers to [-5, 5] (u32: [0, 9]), bools
 * to a coin.
 */
export type Draw =
  | { readonly uniform: readonly [low: number, high: number] }
  /** Whole numbers from 0 to below `below`. */
  | { readonly below: number }
  /** These, over and over. */
  | { readonly values: readonly number[] };

export interface Case {
  /** `group > what`; with dtype and direction appended it is the name a gap gives. */
  readonly name: string;
  readonly tolerance: OpClass;
  /** Dtypes in which it is built; those that a backend does not claim are left out. */
  readonly dtypes: readonly DType[];
  readonly build: (g: Graph, dtype: DType) => Tensor | readonly Tensor[];
  readonly inputs?: Readonly<Record<string, Draw>>;
  /**
   * False where the gradient is nothing to compare (integers, ties, NaN). Default true where an output and an input are
   * float.
   */
  readonly gradient?: boolean;
}

export const FLOATS: readonly DType[] = ["f32", "f16", "bf16"];
export const NUMBERS: readonly DType[] = [...FLOATS, "i32", "u32"];
export const ANY: readonly DType[] = [...NUMBERS, "bool"];
export const F32: readonly DType[] = ["f32"];
