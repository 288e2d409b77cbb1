/** A specification one can run: after every pass, in tests and on demand. Throws our own-bug error with the subgraph printed. */
import { invariant } from "@cloze/errors";
import { sameShape, showType } from "./dtype.ts";
import { isOp } from "./op.ts";
import { print } from "./print.ts";
import { inferAgain, type Tensor } from "./tensor.ts";
import { order } from "./walk.ts";

export function verify(roots: readonly Tensor[], what = "graph"): void {
  const names = new Map<string, Tensor>();
  for (const x of order(roots)) {
    const fail = (why: string): string => `${what}: ${why} in\n${print([x], { depth: 3 })}`;
    invariant(x.graph === roots[0]?.graph, fail("a node of another graph"));
    invariant(x.args.every((a) => a.id < x.id), fail("an arg that is younger than its reader"));
    const type = inferAgain(x);
    invariant(type.dtype === x.dtype && sameShape(type.shape, x.shape), fail(`${x.op} says ${showType(x)} but infers ${showType(type)}`));
    if (isOp(x, "input")) {
      const other = names.get(x.attrs.name);
      invariant(other === undefined || other === x, fail(`two inputs named "${x.attrs.name}"`));
      names.set(x.attrs.name, x);
    }
  }
}
