/**
 * Multiple choice: one of several endings, answers or choices for a text. The model reads each choice together with the
 * text.
 */
import { finiteNumber } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { choiceHead } from "./choice-head.ts";
import { encodeRows } from "./encode-text.ts";
import { field, missing, textField } from "./fields.ts";
import { largest, softmaxOf } from "./labels.ts";
import type { Fields, Task } from "./task.ts";

export interface ChoiceRecord {
  readonly text: string;
  readonly choices: readonly string[];
  /** Number of the correct choice, from 0. */
  readonly label?: number | undefined;
}

export interface Choice {
  /** Number of the predicted choice, from 0. */
  readonly choice: number;
  readonly text: string;
  readonly score: number;
  readonly scores: readonly number[];
}

export function multipleChoice(): Task<ChoiceRecord, Choice> {
  const task: Task<ChoiceRecord, Choice> = {
    kind: "multiple-choice",
    labels: [],
    settings: {},
    best: { metric: "accuracy", better: "higher" },
    grouped: true,
    columns: ["text", "choices", "label"],
    head: choiceHead,
    fit: () => task,
    record(input) {
      if (typeof input === "string")
        throw new ConfigError("multiple-choice: expected { text, choices }, got a text alone.");
      return input;
    },
    read(fields, where, labelled) {
      const record = { text: textField(fields, "text", where), choices: readChoices(fields, where) };
      const given = field(fields, "label");
      if (given === undefined && !labelled) return record;
      const label = finiteNumber(given);
      if (label === undefined || !isChoice(label, record.choices))
        throw missing(fields, "label", `the number of a choice, 0 to ${record.choices.length - 1},`, given, where);
      return { ...record, label };
    },
    encode: (tokenizer, { text, choices }, { maxLength }) =>
      choices.flatMap((pair) => encodeRows(tokenizer, { text, pair }, { maxLength })),
    targets({ choices, label }, _rows, where) {
      if (choices.length < 2) throw new ConfigError(`${where}: expected at least 2 choices, got ${choices.length}.`);
      if (label === undefined || !isChoice(label, choices))
        throw new ConfigError(
          `${where}: expected the number of a choice, 0 to ${choices.length - 1}, got ${label ?? "none"}.`,
        );
      return choices.map((_, place) => [place, choices.length, label]);
    },
    decode({ choices }, _rows, logits) {
      const scores = Array.from(softmaxOf(logits.map((each) => each[0] as number)));
      const choice = largest(scores);
      return { choice, text: choices[choice] ?? "", score: scores[choice] ?? 0, scores };
    },
    score: (records, outputs) => ({
      accuracy:
        records.reduce((right, { label }, i) => right + Number(outputs[i]?.choice === label), 0) / records.length,
    }),
    cells: ({ choice, text, score }) => ({ choice, text, score }),
  };
  return task;
}

const isChoice = (label: number, choices: readonly string[]): boolean =>
  Number.isInteger(label) && label >= 0 && label < choices.length;

/** The choices from a list, or from columns choice0, choice1, … (or ending0, …). */
function readChoices(fields: Fields, where: string): readonly string[] {
  const given = field(fields, "choices");
  if (Array.isArray(given) && given.length > 1 && given.every((each) => typeof each === "string"))
    return given as readonly string[];
  const numbered = Object.keys(fields)
    .filter((key) => /^(?:choice|ending|option)_?\d+$/.test(key))
    .sort((a, b) => Number(/\d+$/.exec(a)?.[0]) - Number(/\d+$/.exec(b)?.[0]));
  if (given !== undefined || numbered.length < 2)
    throw missing(fields, "choices", "a list of two or more texts", given, where);
  return numbered.map((key) => String(fields[key]));
}
