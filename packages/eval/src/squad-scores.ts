/**
 * Exact match and F1 of answers, as in the evaluation scripts of SQuAD 1.1 and 2.0. Both sides become lower case, lose
 * punctuation and articles, and are split at white space. The best of the given answers counts. Scores are from 0 to 1;
 * the scripts print percent.
 *
 * The correct prediction for a question without answers is empty. `noAnswer` is a score that is higher if the model is
 * more certain that there is no answer. A question with `noAnswer` above the threshold counts as unanswered. One sort
 * finds the best thresholds. Source: Rajpurkar et al. 2016, arXiv:1606.05250; Rajpurkar et al. 2018, arXiv:1806.03822.
 * Checked against the two scripts, test/goldens/tasks.json.
 */
import { ConfigError } from "@cloze/errors";

export interface AnsweredQuestion {
  /** "" for no answer. */
  readonly prediction: string;
  /** The correct answers, any of which is enough. Empty: the question has no answer. */
  readonly answers: readonly string[];
  /** The model's certainty that there is no answer, on any scale. */
  readonly noAnswer?: number;
}

export interface AnswerScores {
  readonly exact: number;
  readonly f1: number;
  readonly questions: number;
}

export interface SquadScores extends AnswerScores {
  /**
   * Scores of the questions with an answer (`hasAnswer`) and without one (`noAnswer`). Absent if there are no such
   * questions.
   */
  readonly hasAnswer?: AnswerScores;
  readonly noAnswer?: AnswerScores;
  /** The best scores of any threshold, with that threshold. Present if every question has `noAnswer`. */
  readonly best?: {
    readonly exact: number;
    readonly exactThreshold: number;
    readonly f1: number;
    readonly f1Threshold: number;
  };
}

/**
 * Python's white space, at which `str.split()` splits: unlike JavaScript's, it includes four separators and NEL, but
 * not the byte order mark.
 */
const SPACES: RegExp = new RegExp(`(?:(?!\ufeff)[\\s\u0085${String.fromCharCode(28, 29, 30, 31)}])+`, "u");
const PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** The articles as whole words. Words are as for Python's \b: letters and digits of any script. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/**
 * @example
 * normalizeAnswer("The  Cat's, a hat!")  // => "cats hat"
 */
export function normalizeAnswer(text: string): string {
  return wordsOf(text).join(" ");
}

const wordsOf = (text: string): string[] =>
  text
    .toLowerCase()
    .replace(PUNCTUATION, "")
    .replace(ARTICLES, " ")
    .split(SPACES)
    .filter((word) => word !== "");

/** F1 over the words that a prediction and an answer share; 1 if both are empty. */
export function answerF1(prediction: string, answer: string): number {
  const guess = wordsOf(prediction);
  const truth = wordsOf(answer);
  if (guess.length === 0 || truth.length === 0) return Number(guess.length === truth.length);
  const left = new Map<string, number>();
  for (const word of truth) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of guess) {
    const count = left.get(word) ?? 0;
    if (count > 0) same += 1;
    left.set(word, count - 1);
  }
  return (2 * same) / (guess.length + truth.length);
}

interface Scored {
  readonly question: AnsweredQuestion;
  readonly answerable: boolean;
  readonly exact: number;
  readonly f1: number;
}

/**
 * Scores of all questions. Questions with `noAnswer` above `threshold` count as unanswered. Default: no question does.
 * Throws ConfigError for an empty list.
 */
export function squadScores(
  questions: readonly AnsweredQuestion[],
  { threshold = Infinity }: { readonly threshold?: number } = {},
): SquadScores {
  if (questions.length === 0) throw new ConfigError("squadScores: expected at least one question, got none.");
  const raw = questions.map(scoreOf);
  const judged = raw.map((each) => {
    if (!((each.question.noAnswer ?? -Infinity) > threshold)) return each;
    const right = Number(!each.answerable);
    return { ...each, exact: right, f1: right };
  });
  const has = judged.filter(({ answerable }) => answerable);
  const no = judged.filter(({ answerable }) => !answerable);
  const scored = raw.every(({ question }) => question.noAnswer !== undefined);
  return {
    ...meanOf(judged),
    ...(has.length > 0 && { hasAnswer: meanOf(has) }),
    ...(no.length > 0 && { noAnswer: meanOf(no) }),
    ...(scored && { best: bestOf(raw) }),
  };
}

function scoreOf(question: AnsweredQuestion): Scored {
  const { prediction, answers } = question;
  const given = answers.filter((answer) => wordsOf(answer).length > 0);
  const truths = given.length > 0 ? given : [""];
  const guess = normalizeAnswer(prediction);
  return {
    question,
    answerable: answers.length > 0,
    exact: Number(truths.some((truth) => normalizeAnswer(truth) === guess)),
    f1: Math.max(...truths.map((truth) => answerF1(prediction, truth))),
  };
}

const meanOf = (scored: readonly Scored[]): AnswerScores => ({
  exact: scored.reduce((sum, { exact }) => sum + exact, 0) / scored.length,
  f1: scored.reduce((sum, { f1 }) => sum + f1, 0) / scored.length,
  questions: scored.length,
});

function bestOf(scored: readonly Scored[]): NonNullable<SquadScores["best"]> {
  const sure = ({ question }: Scored): number => question.noAnswer as number;
  const sorted = [...scored].sort((a, b) => sure(a) - sure(b));
  const best = (key: "exact" | "f1"): readonly [score: number, threshold: number] => {
    // With a threshold below all scores, every question is unanswered.
    let now = scored.filter(({ answerable }) => !answerable).length;
    let most = now;
    let at = 0;
    for (const each of sorted) {
      now += each.answerable ? each[key] : each.question.prediction === "" ? 0 : -1;
      if (now > most) [most, at] = [now, sure(each)];
    }
    return [most / scored.length, at];
  };
  const [exact, exactThreshold] = best("exact");
  const [f1, f1Threshold] = best("f1");
  return { exact, exactThreshold, f1, f1Threshold };
}
