/**
 * Several optimizers in one step: each parameter goes to the first optimizer whose rule it fits. Feeds and state of the
 * optimizers stand side by side, so two optimizers of one kind would collide. They are refused: one AdamW with its own
 * groups does the work of two.
 */
import { ConfigError } from "@cloze/errors";
import type { Shape } from "@cloze/graph";
import type { Optimizer } from "./optimizer.ts";

export interface OptimizerRule {
  /** Regular expression over the name. Absent: every name. */
  readonly name?: string;
  /** Regular expression over the name. The rule excludes matching names. */
  readonly without?: string;
  readonly minRank?: number;
  readonly maxRank?: number;
  readonly optimizer: Optimizer;
  /** Factor of the learning rate. Default 1. */
  readonly lrScale?: number;
}

/**
 * The first rule that fits a parameter names its optimizer. A parameter that no rule fits is an error.
 *
 * @example
 * byParameter(muonRules({ matrices: muon(), rest: adamw() })).name  // => "muon+adamw"
 */
export function byParameter(rules: readonly OptimizerRule[]): Optimizer {
  const names = rules.map(({ optimizer }) => optimizer.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ConfigError(
      `byParameter: expected optimizers of different kinds, got ${twice} twice. Give one of them parameter ` +
        "groups instead.",
    );
  const ruleOf = (name: string, shape: Shape): OptimizerRule => {
    const found = rules.find(
      (r) =>
        (r.name === undefined || new RegExp(r.name).test(name)) &&
        (r.without === undefined || !new RegExp(r.without).test(name)) &&
        shape.length >= (r.minRank ?? 0) &&
        shape.length <= (r.maxRank ?? Infinity),
    );
    if (found === undefined)
      throw new ConfigError(
        `byParameter: expected a rule for every parameter, got none for "${name}" [${shape.join(", ")}]. End the ` +
          "list with a rule without conditions.",
      );
    return found;
  };
  return {
    name: names.join("+"),
    stateNames: (parameters) => {
      const all = [...parameters];
      return rules.flatMap((rule) =>
        rule.optimizer.stateNames(all.filter(([name, shape]) => ruleOf(name, shape) === rule)),
      );
    },
    trains: (name, shape) => ruleOf(name, shape).optimizer.trains?.(name, shape) ?? true,
    update(inputs) {
      const made = rules.map((rule) => {
        const parameters = new Map(
          [...inputs.parameters].filter(([name, { tensor }]) => ruleOf(name, tensor.shape) === rule),
        );
        return rule.optimizer.update({ ...inputs, parameters });
      });
      return {
        state: made.flatMap(({ state }) => state),
        updates: Object.assign({}, ...made.map(({ updates }) => updates)) as Record<string, never>,
      };
    },
    hostScalars: (t, lr, progress) =>
      Object.assign(
        {},
        ...rules.map(({ optimizer, lrScale = 1 }) => optimizer.hostScalars(t, lr * lrScale, progress)),
      ) as ReturnType<Optimizer["hostScalars"]>,
  };
}

/**
 * Muon's usual division: matrices of hidden layers go to Muon; embeddings, heads and vectors go to the other optimizer.
 */
export function muonRules({
  matrices,
  rest,
  without = "embed|(^|\\.)(lm_)?head\\.|cls\\.|decoder|classifier|qa_outputs|pooler",
  lrScale = 1,
}: {
  readonly matrices: Optimizer;
  readonly rest: Optimizer;
  /** Regular expression over the names of matrices outside the hidden layers. */
  readonly without?: string;
  /** Learning rate of the other optimizer, as a multiple of Muon's rate. Default 1. */
  readonly lrScale?: number;
}): readonly OptimizerRule[] {
  return [
    { minRank: 2, maxRank: 2, without, optimizer: matrices },
    { optimizer: rest, lrScale },
  ];
}
