/**
 * The evaluation of a pretrained model, in training and by `cloze evaluate`. One fixed mask evaluates every model,
 * whatever objective, rate or smoothing trained it, so that runs compare. An objective with another evaluation adds its
 * own loss and figures.
 *
 * The objective alone evaluates a model if it trains no masked-LM head, or if the tokenizer has no mask token: then
 * there is nothing to compare.
 */
import { PART_METHODS, type Objective, type TokenSet } from "@cloze/objective";
import { mlm } from "@cloze/objective-mlm";
import { Evaluator, type Evaluation, type EvaluationResult } from "@cloze/trainer";

export interface ValidationRequest extends Omit<ConstructorParameters<typeof Evaluator>[0], "objective"> {
  readonly objective: Objective;
  readonly tokens: TokenSet;
}

/**
 * Figures of the fixed mask under their own names (`loss`, `accuracy`); figures of another objective as `<name>.loss`.
 */
export function validation({ objective, tokens, ...request }: ValidationRequest): Evaluation<EvaluationResult> {
  const judge = (by: Objective): Evaluation<EvaluationResult> => new Evaluator({ ...request, objective: by });
  if (objective.comparable === true || !trainsMaskedLm(objective) || tokens.special.mask === undefined)
    return judge(objective);
  return beside(judge(mlm(tokens)), objective.name, judge(objective));
}

const trainsMaskedLm = ({ requires }: Objective): boolean =>
  Object.keys(PART_METHODS["masked-lm"]).every((method) => Object.hasOwn(PART_METHODS[requires], method));

/** All figures of `first`; of `other` its loss, and the figures that `first` does not have. */
function beside(
  first: Evaluation<EvaluationResult>,
  name: string,
  other: Evaluation<EvaluationResult>,
): Evaluation<EvaluationResult> {
  return {
    async run(...given) {
      const figures = await first.run(...given);
      const own = Object.entries(await other.run(...given));
      return {
        ...figures,
        ...Object.fromEntries(
          own.flatMap(([figure, value]) =>
            figure === "loss" || !(figure in figures) ? [[`${name}.${figure}`, value]] : [],
          ),
        ),
      };
    },
  };
}
