/**
 * A specification that one can run: after every pass, in tests and on demand. Throws an internal error with the
 * subgraph printed.
 */
import { invariant } from "@cloze/errors";
import { sameShape, showType } from "./dtype.ts";
import { isOp } from "./op.ts";
import { print } from "./print.ts";
import { inferAgain, type Tensor } from "./tensor.ts";
import { order } from "./walk.ts";

export function verify(roots: readonly Tensor[], what = "graph"): void {
  const names = new Map<string, Tensor>();
  for (const x of order(roots)) {
    const hold = (condition: boolean, why: () => string): void => {
      if (!condition) invariant(false, `${what}: ${why()} in\n${print([x], { depth: 3 })}`);
    };
    hold(x.graph === roots[0]?.graph, () => "a node of another graph");
    hold(
      x.args.every((a) => a.id < x.id),
      () => "an arg that is younger than its reader",
    );
    const type = inferAgain(x);
    hold(
      type.dtype === x.dtype && sameShape(type.shape, x.shape),
      () => `${x.op} says ${showType(x)} but infers ${showType(type)}`,
    );
    if (isOp(x, "input")) {
      const other = names.get(x.attrs.name);
      hold(other === undefined || other === x, () => `two inputs named "${x.attrs.name}"`);
      names.set(x.attrs.name, x);
    }
  }
}
