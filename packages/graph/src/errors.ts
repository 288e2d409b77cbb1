/**
 * Errors of graph building. Graph building throws them while the user's line is on the stack. Their fields carry the
 * facts.
 */
import { ClozeError } from "@cloze/errors";
import { showType, type TensorType } from "./dtype.ts";

/** The prefix of a message, `encoder.layers.3: `, when a layer is being built. */
const at = (path: string): string => (path === "" ? "" : `${path}: `);

export interface GraphErrorFacts {
  readonly op: string;
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

/** A tensor whose shape does not fit the operation. */
export class ShapeError extends ClozeError {
  readonly facts: GraphErrorFacts;

  constructor(facts: GraphErrorFacts, next = "") {
    super(
      "user",
      "ShapeError",
      `${at(facts.path)}${facts.op}: expected ${facts.expected}, got ${facts.got}.${next && ` ${next}`}`,
    );
    this.facts = facts;
  }

  static override isInstance(error: unknown): error is ShapeError {
    return ClozeError.isInstance(error) && error.code === "ShapeError";
  }
}

/** A tensor whose element type does not fit the operation. */
export class DTypeError extends ClozeError {
  readonly facts: GraphErrorFacts;

  constructor(facts: GraphErrorFacts, next = "") {
    super(
      "user",
      "DTypeError",
      `${at(facts.path)}${facts.op}: expected ${facts.expected}, got ${facts.got}.${next && ` ${next}`}`,
    );
    this.facts = facts;
  }

  static override isInstance(error: unknown): error is DTypeError {
    return ClozeError.isInstance(error) && error.code === "DTypeError";
  }
}

export const showTypes = (types: readonly TensorType[]): string => types.map(showType).join(" and ");
