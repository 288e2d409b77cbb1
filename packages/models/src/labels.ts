/**
 * The classification head in config.json: `id2label`, `label2id`, `problem_type`, as transformers reads and writes
 * them. Without these keys there are two labels, LABEL_0 and LABEL_1.
 */
import { ConfigError, FormatError } from "@cloze/errors";

export type ProblemType = "regression" | "single_label_classification" | "multi_label_classification";

export interface TaskLabels {
  /** Names by number. For a regression, the names of its numbers. Absent: the names in the configuration. */
  readonly labels?: readonly string[];
  readonly problemType?: ProblemType;
}

/** All keys that describe a classification head. */
export const LABEL_KEYS: readonly string[] = ["id2label", "label2id", "num_labels", "problem_type"];

/** The label keys of config.json. Throws ConfigError for a repeated name, and for an empty list. */
export function labelsJson({ labels, problemType }: TaskLabels): Record<string, unknown> {
  if (labels !== undefined && labels.length === 0) throw new ConfigError("labels: expected at least one, got none.");
  const twice = labels?.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined)
    throw new ConfigError(`labels: expected different names, got ${JSON.stringify(twice)} twice.`);
  return {
    ...(labels && {
      id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
      label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    }),
    ...(problemType !== undefined && { problem_type: problemType }),
  };
}

/**
 * Names of the labels by number. Throws FormatError where the numbers do not run from 0 without a gap, or a name is not
 * a string.
 */
export function labelsOf(json: Readonly<Record<string, unknown>>, file = "config.json"): readonly string[] {
  const { id2label, num_labels: count = 2 } = json;
  if (id2label === undefined || id2label === null) {
    if (!(typeof count === "number" && Number.isSafeInteger(count) && count >= 1))
      throw new FormatError(file, "num_labels", `expected a whole number from 1, got ${JSON.stringify(count)}.`);
    return Array.from({ length: count }, (_, i) => `LABEL_${i}`);
  }
  const fail = (message: string): never => {
    throw new FormatError(file, "id2label", message);
  };
  if (typeof id2label !== "object" || Array.isArray(id2label))
    return fail(`expected an object from numbers to names, got ${JSON.stringify(id2label).slice(0, 40)}.`);
  const byNumber = id2label as Readonly<Record<string, unknown>>;
  const size = Object.keys(byNumber).length;
  if (size === 0) fail("expected at least one label, got none.");
  return Array.from({ length: size }, (_, i) => {
    const label = byNumber[i];
    return typeof label === "string"
      ? label
      : fail(
          `expected a name for each of 0 to ${size - 1}, got ` +
            `${label === undefined ? "nothing" : JSON.stringify(label)} for ${i}.`,
        );
  });
}
