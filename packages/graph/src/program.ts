/**
 * Program: the input of a backend. A program is a verified graph with its feeds, its state, its outputs and its updates
 * of the state.
 *
 * State stays on the device between runs: parameters, optimizer moments. `updates` names the state that a run replaces
 * with a new value. A backend decides how it replaces the value (in place, ping-pong, dispose).
 */
import { ConfigError, invariant } from "@cloze/errors";
import { sameShape, showType } from "./dtype.ts";
import type { Graph } from "./graph.ts";
import { isOp, type Node } from "./op.ts";
import type { Tensor } from "./tensor.ts";
import { verify } from "./verify.ts";
import { order } from "./walk.ts";

export interface Program {
  readonly graph: Graph;
  /** Inputs with a new value for every run. */
  readonly feeds: readonly Node<"input">[];
  /** Inputs that live on the device. */
  readonly state: readonly Node<"input">[];
  /** Small tensors that come back from a run. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** New values of state, by name. */
  readonly updates: Readonly<Record<string, Tensor>>;
  /** bool []: where its value is false, the run replaces no state (an overflow, a gradient that is not finite). */
  readonly guard?: Tensor;
}

export interface ProgramParts {
  /** Inputs that are state. Every other reachable input is a feed. */
  readonly state: readonly Tensor[];
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly updates?: Readonly<Record<string, Tensor>>;
  /** Feeds that the program accepts even where no node reads them. */
  readonly feeds?: readonly Tensor[];
  /** bool []: where false, the run replaces no state. */
  readonly guard?: Tensor | undefined;
}

/** Collects and verifies a program. State that no node reads and no update replaces is left out. */
export function program(graph: Graph, parts: ProgramParts): Program {
  const { outputs, updates = {}, guard } = parts;
  const roots = [...Object.values(outputs), ...Object.values(updates), ...(guard ? [guard] : [])];
  if (roots.length === 0) throw new ConfigError("program: expected at least one output or update, got none.");
  verify(roots, "program");
  invariant(
    guard === undefined || (guard.dtype === "bool" && guard.shape.length === 0),
    `the guard is ${guard && showType(guard)}, a guard bool[]`,
  );
  const declared = new Map(parts.state.map((s) => [asInput(s).attrs.name, asInput(s)]));
  for (const [name, value] of Object.entries(updates)) {
    const old = declared.get(name);
    invariant(old !== undefined, `update of "${name}", which is not declared as state`);
    invariant(
      old.dtype === value.dtype && sameShape(old.shape, value.shape),
      `update of "${name}" is ${showType(value)}, the state ${showType(old)}`,
    );
  }
  const inputs = order(roots).filter((x): x is Node<"input"> => isOp(x, "input"));
  const reached = new Set(inputs.map((x) => x.attrs.name));
  const extra = (parts.feeds ?? []).map(asInput).filter((x) => !reached.has(x.attrs.name));
  return {
    graph,
    feeds: [...inputs.filter((x) => !declared.has(x.attrs.name)), ...extra],
    state: [...declared.values()].filter((x) => reached.has(x.attrs.name) || x.attrs.name in updates),
    outputs,
    updates,
    ...(guard ? { guard } : {}),
  };
}

function asInput(x: Tensor): Node<"input"> {
  invariant(isOp(x, "input"), `expected an input, got ${x.op} ${showType(x)}`);
  return x;
}

/** Outputs, updates and the guard in one list: the roots for passes. */
export const programRoots = (p: Program): readonly Tensor[] => [
  ...Object.values(p.outputs),
  ...Object.values(p.updates),
  ...(p.guard ? [p.guard] : []),
];

/** The program with rewritten roots, in the order of `programRoots`. */
export function withRoots(p: Program, roots: readonly Tensor[]): Program {
  let at = 0;
  const take = (record: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
    Object.fromEntries(Object.keys(record).map((name) => [name, roots[at++] as Tensor]));
  const outputs = take(p.outputs);
  const updates = take(p.updates);
  return { ...p, outputs, updates, ...(p.guard ? { guard: roots[at] as Tensor } : {}) };
}
