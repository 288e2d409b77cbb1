/**
 * How a pretrained model is judged, while it trains and by `cloze evaluate`: by the mask that all runs are compared by,
 * whatever objective, rate or smoothing trained it. An objective that evaluates otherwise has its own loss and figures
 * beside that.
 *
 * Left as they are: objectives that train no masked-LM head, and tokenizers without a mask token, for there is nothing
 * to compare.
 */
import { PART_METHODS, type Objective, type TokenSet } from "@cloze/objective";
import { mlm } from "@cloze/objective-mlm";
import { Evaluator, type Evaluation, type EvaluationResult } from "@cloze/trainer";

export interface ValidationRequest extends Omit<ConstructorParameters<typeof Evaluator>[0], "objective"> {
  readonly objective: Objective;
  readonly tokens: TokenSet;
}

/**
 * Figures of the fixed mask under their own names (`loss`, `accuracy`); those of another objective as `<name>.loss`.
 */
export function validation({ objective, tokens, ...request }: ValidationRequest): Evaluation<EvaluationResult> {
  const judge = (by: Objective): Evaluation<EvaluationResult> => new Evaluator({ ...request, objective: by });
  if (objective.comparable === true || !trainsMaskedLm(objective) || tokens.special.mask === undefined)
    return judge(objective);
  return beside(judge(mlm(tokens)), objective.name, judge(objective));
}

const trainsMaskedLm = ({ requires }: Objective): boolean =>
  Object.keys(PART_METHODS["masked-lm"]).every((method) => Object.hasOwn(PART_METHODS[requires], method));

/** The first one's figures, and of the other its loss and what the first has not. */
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
