/**
 * The pipeline of passes, as a readable list. Each pass is a name and rules. Each result can be verified and printed.
 */
import type { Node } from "./op.ts";
import { castPolicyRules } from "./cast-policy.ts";
import { program, programRoots, withRoots, type Program } from "./program.ts";
import { rewrite, type Rule } from "./rewrite.ts";
import { dropDetachRules, expandRules, simplifyRules } from "./simplify.ts";
import { verify } from "./verify.ts";

export interface LowerOptions {
  /** Names of the composites that a backend runs itself; the other composites are expanded. Default: none. */
  readonly native?: ReadonlySet<string> | ((x: Node<"composite">) => boolean);
  /** 16-bit contractions. Default: f32. */
  readonly compute?: "f32" | "f16" | "bf16";
  /** Verify after every pass. Default false. */
  readonly check?: boolean;
  /** Called after each pass with its name, the program after it, and how often each rule fired. */
  readonly onPass?: (name: string, after: Program, fired: ReadonlyMap<string, number>) => void;
}

/** simplify -> cast policy -> expand composites -> drop detach -> simplify. */
export function lower(p: Program, options: LowerOptions = {}): Program {
  const { native = new Set<string>(), compute = "f32", check = false } = options;
  const isNative = typeof native === "function" ? native : (x: Node<"composite">) => native.has(x.attrs.composite.name);
  const passes: readonly (readonly [string, readonly Rule[]])[] = [
    ["simplify", simplifyRules],
    ...(compute === "f32" ? [] : ([["cast policy", castPolicyRules(compute)]] as const)),
    ["expand composites", expandRules(isNative)],
    ["drop detach", dropDetachRules],
    ["simplify", simplifyRules],
  ];
  let now = p;
  for (const [name, rules] of passes) {
    const { roots, fired } = rewrite(programRoots(now), rules, name);
    if (check) verify(roots, `after pass ${name}`);
    now = withRoots(now, roots);
    options.onPass?.(name, now, fired);
  }
  // Inputs that the passes made unreachable leave the program. Feeds stay declared.
  return program(now.graph, {
    state: now.state,
    outputs: now.outputs,
    updates: now.updates,
    feeds: now.feeds,
    guard: now.guard,
  });
}
