/** What the answers of records say about them, by the kind of task: see examine.ts. */
import { ConfigError } from "@cloze/errors";
import type { LabelledRecord } from "./multi-label.ts";
import type { ChoiceRecord } from "./multiple-choice.ts";
import type { QuestionRecord } from "./question-answering.ts";
import type { ScoredRecord } from "./regression.ts";
import {
  countsOf,
  counted,
  integer,
  shownCounts,
  type Examiner,
  type Look,
  type Mistake,
  type Place,
} from "./examination.ts";
import { examineTags } from "./examine-tags.ts";
import type { Task, TaskKind } from "./task.ts";
import type { TextRecord } from "./text-classification.ts";
import type { TaggedRecord } from "./token-classification.ts";

/** Fewest records for a judgement about the number of labels. */
const ENOUGH = 10;
const MISSING_VALUE = /^(nan|n\/?a|#n\/a|<na>|null|none|nil|\?)$/i;

const COLUMNS = "Is the label in another column? Name the columns with --columns.";

const examineClasses: Examiner<TextRecord> = (records, place) => {
  const labels = records.map(({ label }) => String(label));
  const counts = countsOf(labels);
  const names = [...counts.keys()];
  const numbers = names.every((name) => name.trim() !== "" && Number.isFinite(Number(name)));
  const mistakes: Mistake[] = [];
  const warnings = [...blankTexts(records, place)];
  if (counts.size === 1)
    mistakes.push({
      message:
        `expected examples of several classes, got ${counted(records.length, "example")} of the class ` +
        `${JSON.stringify(names[0])} alone. ${COLUMNS}`,
      unless: "labels",
    });
  else if (numbers && counts.size > ENOUGH && names.some((name) => !Number.isInteger(Number(name))))
    mistakes.push({
      message:
        `expected classes, got ${counts.size} different numbers with fractions, such as ` +
        `${names.slice(0, 3).join(", ")}. For numbers choose --task regression.`,
      unless: "labels",
    });
  else if (records.length >= ENOUGH && counts.size === records.length)
    mistakes.push({
      message:
        `expected labels that examples share, got a label of its own for each of ${records.length} ` +
        `examples, such as ${JSON.stringify(names[0]?.slice(0, 40))}. ${COLUMNS}`,
      unless: "labels",
    });
  else if (records.length >= ENOUGH && 2 * counts.size > records.length)
    warnings.push(
      `${integer(counts.size)} classes for ${integer(records.length)} examples: most classes have one ` +
        `example. ${COLUMNS}`,
    );
  warnings.push(...oddNames(counts));
  return {
    mistakes,
    warnings,
    describe: (task, part, name) => [
      `${name}: ${counted(part.length, "example")}, ` +
        `${counted(task.labels.length, "class").replace("classs", "classes")}: ` +
        shownCounts(countsOf((part as readonly TextRecord[]).map(({ label }) => String(label))), task.labels),
    ],
  };
};

function* oddNames(counts: ReadonlyMap<string, number>): Generator<string> {
  for (const [label, count] of counts) {
    if (MISSING_VALUE.test(label.trim()))
      yield (
        `the class ${JSON.stringify(label)} has ${counted(count, "example")}: is it a missing value? ` +
        "--unlabelled skip leaves out NaN and NA."
      );
    else if (label !== label.trim()) yield `the label ${JSON.stringify(label)} begins or ends with a blank.`;
  }
}

function* blankTexts(records: readonly { readonly text: string }[], place: Place): Generator<string> {
  const blank = records.flatMap(({ text }, i) => (text.trim() === "" ? [i] : []));
  if (blank.length > 0) yield `${counted(blank.length, "example")} without a text, first ${place(blank[0] as number)}.`;
}

const examineNumbers: Examiner<ScoredRecord> = (records, place) => {
  const values = new Set(records.map(({ label }) => label));
  const whole = [...values].every((value) => Number.isInteger(value));
  return {
    mistakes:
      values.size === 1 && records.length >= 2
        ? [
            {
              message:
                `expected different numbers, got ${[...values][0]} for each of ${records.length} ` +
                `examples. ${COLUMNS}`,
            },
          ]
        : [],
    warnings: [
      ...blankTexts(records, place),
      ...(values.size === 2 && whole && records.length >= 4
        ? [
            `the labels are only ${[...values].sort().join(" and ")}: are they classes? Then choose --task ` +
              `text-classification.`,
          ]
        : []),
    ],
    describe: (_task, part, name) => {
      const all = (part as readonly ScoredRecord[]).map(({ label }) => label ?? NaN);
      const [low, high] = all.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)] as const, [
        Infinity,
        -Infinity,
      ] as const);
      const mean = all.reduce((sum, x) => sum + x, 0) / all.length;
      return [
        `${name}: ${counted(all.length, "example")}, numbers from ${low} to ${high}, mean ` +
          `${Number(mean.toPrecision(4))}, ` +
          `${integer(new Set(all).size)} different`,
      ];
    },
  };
};

const examineLabelSets: Examiner<LabelledRecord> = (records, place) => {
  const sets = records.map(({ labels = [] }) => labels);
  const counts = countsOf(sets.flat());
  return {
    mistakes:
      counts.size === 0 ? [{ message: `expected labels, got none in ${records.length} examples. ${COLUMNS}` }] : [],
    warnings: [
      ...blankTexts(records, place),
      ...(records.length >= ENOUGH && sets.every(({ length }) => length === 1)
        ? ["every example has exactly one label: is it one class of several? Then choose --task text-classification."]
        : []),
      ...(records.length >= ENOUGH && 2 * counts.size > records.length
        ? [
            `${integer(counts.size)} labels for ${integer(records.length)} examples. Labels stand between ` +
              `semicolons or commas. ${COLUMNS}`,
          ]
        : []),
      ...oddNames(counts),
    ],
    describe: (task, part, name) => {
      const given = (part as readonly LabelledRecord[]).map(({ labels = [] }) => labels);
      const none = given.filter(({ length }) => length === 0).length;
      return [
        `${name}: ${counted(part.length, "example")}${none > 0 ? `, ${integer(none)} without a label` : ""}, ` +
          `${counted(task.labels.length, "label")}: ${shownCounts(countsOf(given.flat()), task.labels)}`,
      ];
    },
  };
};

const examineChoices: Examiner<ChoiceRecord> = (records) => {
  const counts = countsOf(records.map(({ label }) => String(label)));
  return {
    mistakes: [],
    warnings:
      counts.size === 1 && records.length >= ENOUGH
        ? [`the right choice is number ${[...counts.keys()][0]} in every example. ${COLUMNS}`]
        : [],
    describe: (_task, part, name) => [
      `${name}: ${counted(part.length, "example")}, right choices: ` +
        shownCounts(countsOf((part as readonly ChoiceRecord[]).map(({ label }) => String(label))), []),
    ],
  };
};

const examineQuestions: Examiner<QuestionRecord> = () => ({
  mistakes: [],
  warnings: [],
  describe: (_task, part, name) => {
    const none = (part as readonly QuestionRecord[]).filter(({ answers }) => (answers ?? []).length === 0).length;
    return [`${name}: ${counted(part.length, "question")}${none > 0 ? `, ${integer(none)} without an answer` : ""}`];
  },
});

const EXAMINERS: { readonly [K in TaskKind]: Examiner<never> } = {
  "text-classification": examineClasses,
  "multi-label": examineLabelSets,
  regression: examineNumbers,
  "token-classification": examineTags satisfies Examiner<TaggedRecord>,
  "question-answering": examineQuestions,
  "multiple-choice": examineChoices,
};

export function examineAnswers(task: Task, records: readonly object[], place: Place): Look {
  return EXAMINERS[task.kind](records as readonly never[], place);
}

export const mistakeError = (kind: TaskKind, { message }: Mistake): ConfigError =>
  new ConfigError(`${kind}: ${message}`);
