/** What an optimizer needs to know of a parameter. A `Parameter` of @cloze/nn has all of it. */
import type { Shape } from "@cloze/graph";

export interface ParameterFacts {
  readonly name: string;
  readonly shape: Shape;
  /** What the parameter is: "table", "matrix", "head", "vector". Absent: a matrix from rank 2 on, else a vector. */
  readonly kind?: string;
  /** 0 for the embeddings, 1, 2, … for the layers; absent for everything above the layers. */
  readonly depth?: number;
  /** Number of matrices that the parameter holds one below the other. Default 1. */
  readonly stacked?: number;
}

export const kindOf = ({ kind, shape }: Pick<ParameterFacts, "kind" | "shape">): string =>
  kind ?? (shape.length < 2 ? "vector" : "matrix");

/** Which parameters a group or a rule is for: those that fit every condition. Without conditions: all. */
export interface Selection {
  /** Regular expression over the name, for a user's own choice. */
  readonly name?: string;
  readonly kinds?: readonly string[];
  /** Depths from the first number to the second; a parameter above the layers has the depth Infinity. */
  readonly depths?: readonly [from: number, to: number];
  readonly minRank?: number;
  readonly maxRank?: number;
}

export function isSelected(
  { name, kinds, depths: [from, to] = [0, Infinity], minRank = 0, maxRank = Infinity }: Selection,
  parameter: ParameterFacts,
): boolean {
  const { depth = Infinity, shape } = parameter;
  return (
    (name === undefined || new RegExp(name).test(parameter.name)) &&
    (kinds === undefined || kinds.includes(kindOf(parameter))) &&
    depth >= from &&
    depth <= to &&
    shape.length >= minRank &&
    shape.length <= maxRank
  );
}
