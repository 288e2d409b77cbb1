/**
 * Several optimizers in one step: each parameter goes to the first optimizer whose rule it fits. Feeds and state of the
 * optimizers stand side by side, so two optimizers of one kind would collide. They are refused: one AdamW with its own
 * groups does the work of two.
 */
import { ConfigError } from "@cloze/errors";
import { factsOf, type Optimizer } from "./optimizer.ts";
import { isSelected, type ParameterFacts, type Selection } from "./parameter.ts";

export interface OptimizerRule extends Selection {
  /** Regular expression over the name. The rule excludes matching names. */
  readonly without?: string;
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
  const ruleOf = (parameter: ParameterFacts): OptimizerRule => {
    const { name, shape } = parameter;
    const found = rules.find(
      (rule) => isSelected(rule, parameter) && (rule.without === undefined || !new RegExp(rule.without).test(name)),
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
      return rules.flatMap((rule) => rule.optimizer.stateNames(all.filter((parameter) => ruleOf(parameter) === rule)));
    },
    trains: (parameter) => ruleOf(parameter).optimizer.trains?.(parameter) ?? true,
    update(inputs) {
      const made = rules.map((rule) => {
        const parameters = new Map(
          [...inputs.parameters].filter(([name, parameter]) => ruleOf(factsOf(name, parameter)) === rule),
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
 * Muon's usual division: matrices of layers go to Muon; tables, heads and vectors go to the other optimizer.
 */
export function muonRules({
  matrices,
  rest,
  without,
  lrScale = 1,
}: {
  readonly matrices: Optimizer;
  readonly rest: Optimizer;
  /** Regular expression over the names of further parameters for the other optimizer. */
  readonly without?: string;
  /** Learning rate of the other optimizer, as a multiple of Muon's rate. Default 1. */
  readonly lrScale?: number;
}): readonly OptimizerRule[] {
  return [
    { kinds: ["matrix"], minRank: 2, maxRank: 2, ...(without !== undefined && { without }), optimizer: matrices },
    { optimizer: rest, lrScale },
  ];
}
