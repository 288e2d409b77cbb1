/**
 * The verdict on a finished run in words, from rules over its record. A rule says a sentence or nothing; of the rules
 * of a group the first that says something counts. `result` is how much was learnt, `course` how the losses went.
 */
import type { MetricsRow } from "@cloze/trainer";

export interface RunFacts {
  /** The objective of a pretraining run, or the kind of task of a fine-tuning. */
  readonly of: { readonly objective: string } | { readonly task: string };
  /** The rows of metrics.jsonl. */
  readonly rows: readonly MetricsRow[];
  /** Entropy of the frequencies of the held-out tokens, in nats: the loss of a model without context. */
  readonly unigramEntropy?: number | undefined;
  /** The figures of the checkpoint that is kept. */
  readonly figures?: Readonly<Record<string, number>> | undefined;
  /** The share of the most frequent label among the validation examples. */
  readonly majority?: number | undefined;
  /** The step of the checkpoint that is kept as the best. */
  readonly bestStep?: number | undefined;
}

export interface Point {
  readonly step: number;
  readonly loss: number;
}

export interface Course extends RunFacts {
  readonly train: readonly Point[];
  readonly evals: readonly Point[];
  readonly last: Point | undefined;
  /** The evaluation with the lowest loss. */
  readonly lowest: Point | undefined;
}

export interface VerdictRule {
  readonly name: string;
  readonly group: "result" | "course";
  readonly says: (course: Course) => string | undefined;
}

/** Nats below the frequencies from which on a model is said to use context. */
const LEARNT_NATS = 0.1;
/** A rise of a loss that is more than noise, in nats and as a share of the loss. */
const RISE_NATS = 0.02;
const RISE_SHARE = 0.02;
/** Training rows needed before their course is judged, and the parts into which it is cut. */
const COURSE_ROWS = 20;
const PARTS = 10;

const objectiveOf = ({ of }: RunFacts): string | undefined => ("objective" in of ? of.objective : undefined);
const taskOf = ({ of }: RunFacts): string | undefined => ("task" in of ? of.task : undefined);
const nats = (value: number): string => value.toFixed(2);
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** How far a masked-token loss is below the frequencies; undefined where the two do not compare. */
function belowFrequencies(course: Course): number | undefined {
  const { last, unigramEntropy } = course;
  if (last === undefined || unigramEntropy === undefined || objectiveOf(course) !== "mlm") return undefined;
  return unigramEntropy - last.loss;
}

/** Means of the training loss over equal parts of the run. */
function partsOf(train: readonly Point[]): readonly number[] {
  if (train.length < COURSE_ROWS) return [];
  return Array.from({ length: PARTS }, (_, part) => {
    const rows = train.slice((part * train.length) / PARTS, ((part + 1) * train.length) / PARTS);
    return rows.reduce((sum, { loss }) => sum + loss, 0) / rows.length;
  });
}

const rises = (from: number, to: number): boolean => to - from > Math.max(RISE_NATS, RISE_SHARE * Math.abs(from));

export const VERDICT_RULES: readonly VerdictRule[] = [
  {
    name: "no evaluation",
    group: "result",
    says: (course) =>
      course.last !== undefined
        ? undefined
        : `nothing was held out, so nothing says what it learnt: ${
            taskOf(course) === undefined ? "--valid 0.05 holds a part out" : "give it --valid FILE"
          }`,
  },
  {
    name: "not a number",
    group: "result",
    says: ({ last }) =>
      Number.isFinite(last?.loss) ? undefined : "the validation loss is no number: lower --lr, or check the data",
  },
  {
    name: "above the frequencies",
    group: "result",
    says: (course) => {
      const below = belowFrequencies(course);
      return below === undefined || below > 0
        ? undefined
        : `${nats(-below)} nats above the frequencies: nothing learnt from context yet. Train longer, ` +
            "or try another --lr";
    },
  },
  {
    name: "hardly below the frequencies",
    group: "result",
    says: (course) => {
      const below = belowFrequencies(course);
      return below === undefined || below >= LEARNT_NATS
        ? undefined
        : `${nats(below)} nats below the frequencies: hardly learnt, train longer`;
    },
  },
  {
    name: "below the frequencies",
    group: "result",
    says: (course) => {
      const below = belowFrequencies(course);
      return below === undefined ? undefined : `${nats(below)} nats below the frequencies: it uses context`;
    },
  },
  {
    name: "one label for everything",
    group: "result",
    says: (course) => {
      const { figures, majority } = course;
      if (taskOf(course) !== "text-classification" || figures?.["mcc"] !== 0) return undefined;
      const share = figures["accuracy"] ?? NaN;
      return share === 1 || majority === 1
        ? "the validation data has one label only, so nothing says what it learnt"
        : `one label for everything: it is right for ${percent(share)}, the share of that label. Train longer, try ` +
            "another --lr, or check the labels";
    },
  },
  {
    name: "no better than the most frequent label",
    group: "result",
    says: (course) => {
      const { figures, majority } = course;
      const accuracy = figures?.["accuracy"];
      return taskOf(course) !== "text-classification" || accuracy === undefined || majority === undefined
        ? undefined
        : accuracy > majority
          ? `right for ${percent(accuracy)}, where the most frequent label alone is right for ${percent(majority)}`
          : `right for ${percent(accuracy)}, no better than the most frequent label alone (${percent(majority)}): ` +
            "hardly learnt, train longer";
    },
  },
  {
    name: "nothing found",
    group: "result",
    says: (course) => {
      const what = { "multi-label": "no label for anything", "token-classification": "no entity is found right" }[
        taskOf(course) ?? ""
      ];
      const f1 = course.figures?.["microF1"] ?? course.figures?.["f1"];
      return what === undefined || f1 !== 0 ? undefined : `${what}: hardly learnt, train longer or try another --lr`;
    },
  },
  {
    name: "no answer is right",
    group: "result",
    says: (course) =>
      taskOf(course) === "question-answering" && (course.figures?.["f1"] ?? 1) === 0
        ? "no answer is right: hardly learnt, train longer or try another --lr"
        : undefined,
  },
  {
    name: "the mean for everything",
    group: "result",
    says: (course) => {
      const r2 = course.figures?.["r2"];
      return taskOf(course) !== "regression" || r2 === undefined || r2 > 0
        ? undefined
        : "no better than the mean of the labels for everything: hardly learnt, train longer or try another --lr";
    },
  },
  {
    name: "diverged",
    group: "course",
    says: ({ train }) => {
      const parts = partsOf(train);
      const least = Math.min(...parts);
      const end = parts.at(-1);
      return end === undefined || !rises(least, end) || end - least < 0.1 * Math.max(1, least)
        ? undefined
        : `training loss rose from ${nats(least)} to ${nats(end)}: it diverged. Lower --lr, or raise --warmup`;
    },
  },
  {
    name: "over-fitting",
    group: "course",
    says: ({ train, evals, lowest, last, bestStep }) => {
      if (lowest === undefined || last === undefined || evals.length < 2 || !rises(lowest.loss, last.loss))
        return undefined;
      const at = meanAround(train, lowest.step);
      const end = meanAround(train, last.step);
      if (end > at) return undefined;
      return (
        `validation loss rises since step ${lowest.step} (${nats(lowest.loss)}, at the end ${nats(last.loss)}): ` +
        `over-fitting. ${
          bestStep === undefined
            ? `Take the checkpoint of step ${lowest.step}, or train shorter or on more data`
            : `The checkpoint that is kept is that of step ${bestStep}`
        }`
      );
    },
  },
  {
    name: "still falling",
    group: "course",
    says: ({ evals, lowest, last }) => {
      const before = evals.at(-1 - Math.max(1, Math.floor(evals.length / 3)));
      return evals.length < 3 || before === undefined || lowest !== last || !rises(last?.loss ?? NaN, before.loss)
        ? undefined
        : "validation loss still falls: a longer run gets lower";
    },
  },
];

/** Mean of the training loss over the ten rows up to a step. */
function meanAround(train: readonly Point[], step: number): number {
  const rows = train.filter((row) => row.step <= step).slice(-10);
  return rows.reduce((sum, { loss }) => sum + loss, 0) / rows.length;
}

/** What the rules look at. */
export function courseOf(facts: RunFacts): Course {
  const points = (type: MetricsRow["type"]): readonly Point[] => facts.rows.filter((row) => row.type === type);
  const evals = points("eval");
  const lowest = evals.reduce<Point | undefined>(
    (least, row) => (least === undefined || row.loss < least.loss ? row : least),
    undefined,
  );
  return { ...facts, train: points("train"), evals, last: evals.at(-1), lowest };
}

/** The sentences about a run, at most one of each group. Empty if no rule has something to say. */
export function verdict(facts: RunFacts): readonly string[] {
  const course = courseOf(facts);
  const sentences = (["result", "course"] as const).map((group) => {
    for (const rule of VERDICT_RULES) {
      const said = rule.group === group ? rule.says(course) : undefined;
      if (said !== undefined) return said;
    }
    return undefined;
  });
  return sentences.filter((each) => each !== undefined);
}

/** The verdict as an entry of a report's summary. */
export const verdictEntry = (sentences: readonly string[]): { readonly verdict?: string } =>
  sentences.length === 0 ? {} : { verdict: `${sentences.join(". ")}.` };
