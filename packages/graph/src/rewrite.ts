/**
 * The rewrite engine. A rule is data, a pass is a named list of rules, and this is the only loop.
 *
 * The engine rewrites nodes from the arguments up. A rule looks at one node whose args are final and returns another
 * node, or undefined. The engine rewrites the returned node in turn, until no rule fires. There is no recursion, so a
 * graph may be of any depth.
 */
import { invariant } from "@cloze/errors";
import { sameShape } from "./dtype.ts";
import type { Graph } from "./graph.ts";
import { isOp, type Node, type Op } from "./op.ts";
import { print } from "./print.ts";
import type { Tensor } from "./tensor.ts";
import { verify } from "./verify.ts";
import { order } from "./walk.ts";

export interface Rule {
  /** The algebra, e.g. `x * 1 -> x`: shown in traces, counts and failures. */
  readonly name: string;
  readonly op: Op;
  readonly apply: (x: Tensor) => Tensor | undefined;
  /** A small graph on which the rule must fire. The property test of the rule runs it. */
  readonly example: (g: Graph) => Tensor;
}

/** A rule whose function sees the node typed by its op. */
export function rule<P extends Op>(
  name: string,
  op: P,
  apply: (x: Node<P>, args: Node<P>["args"]) => Tensor | undefined,
  example: (g: Graph) => Tensor,
): Rule {
  return { name, op, example, apply: (x) => (isOp(x, op) ? apply(x, x.args) : undefined) };
}

export interface Rewritten {
  /** The rewritten roots, in the order of the original roots. */
  readonly roots: readonly Tensor[];
  /** How often each rule fired. */
  readonly fired: ReadonlyMap<string, number>;
}

export function rewrite(roots: readonly Tensor[], rules: readonly Rule[], pass: string): Rewritten {
  const byOp = new Map<Op, Rule[]>();
  for (const r of rules) byOp.set(r.op, [...(byOp.get(r.op) ?? []), r]);
  const done = new Map<Tensor, Tensor>();
  const next = new Map<Tensor, Tensor>();
  const fired = new Map<string, number>();
  /** Far above the need of any pass: rules that make new nodes without end stop here. */
  const limit = 100_000 + 100 * order(roots).length;
  let steps = 0;

  /**
   * One step: the node over its rewritten args, or the result of the first rule that fires; the node itself when no
   * rule applies.
   */
  const step = (x: Tensor): Tensor => {
    const rebuilt = x.graph.rebuild(
      x,
      x.args.map((a) => done.get(a) as Tensor),
    );
    if (rebuilt !== x) return rebuilt;
    for (const r of byOp.get(x.op) ?? []) {
      const made = x.graph.within(x.path, () => r.apply(x));
      if (made !== undefined && made !== x) {
        if (made.dtype !== x.dtype || !sameShape(made.shape, x.shape))
          invariant(false, `pass ${pass}, rule "${r.name}" changed a type:\n${print([x, made], { depth: 2 })}`);
        if (++steps > limit)
          invariant(
            false,
            `pass ${pass} does not come to rest after ${limit} steps; rule "${r.name}" fired last, ` +
              `on\n${print([x], { depth: 2 })}`,
          );
        fired.set(r.name, (fired.get(r.name) ?? 0) + 1);
        return made;
      }
    }
    return x;
  };

  /**
   * Nodes whose replacement is being rewritten. A node that needs an open node depends on its own replacement: a
   * circle.
   */
  const open = new Set<Tensor>();
  const needs = (x: Tensor, other: Tensor): void => {
    if (open.has(other))
      invariant(
        false,
        `pass ${pass} goes round in a circle: to rewrite\n${print([x], { depth: 2 })}\nit ` +
          `needs\n${print([other], { depth: 2 })}`,
      );
  };
  const stack: Tensor[] = [...roots];
  for (let x = stack.at(-1); x !== undefined; x = stack.at(-1)) {
    if (done.has(x)) {
      stack.pop();
      continue;
    }
    const pending = x.args.filter((a) => !done.has(a));
    if (pending.length > 0) {
      for (const a of pending) needs(x, a);
      stack.push(...pending);
      continue;
    }
    let to = next.get(x);
    if (to === undefined) {
      to = step(x);
      next.set(x, to);
      if (to !== x) needs(x, to);
      open.add(x);
    }
    const final = to === x ? x : done.get(to);
    if (final === undefined) stack.push(to);
    else {
      done.set(x, final);
      open.delete(x);
      stack.pop();
    }
  }
  return { roots: roots.map((r) => done.get(r) as Tensor), fired };
}

/** Runs a named list of rules and, where `check` is set, verifies the result. */
export function runPass(
  roots: readonly Tensor[],
  rules: readonly Rule[],
  pass: string,
  check = false,
): readonly Tensor[] {
  const result = rewrite(roots, rules, pass).roots;
  if (check) verify(result, `after pass ${pass}`);
  return result;
}
