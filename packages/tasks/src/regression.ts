/** Regression: a number for a text or a pair of texts, such as similarity, a rating, or the fitness of a protein. */
import { finiteNumber } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { regressionScores } from "@cloze/eval";
import { encodeRows } from "./encode-text.ts";
import { field, missing } from "./fields.ts";
import { numberHead } from "./sequence-head.ts";
import type { Task } from "./task.ts";
import { readTexts } from "./text-classification.ts";

export interface ScoredRecord {
  readonly text: string;
  readonly pair?: string | undefined;
  readonly label?: number | undefined;
}

export interface NumberPrediction {
  readonly value: number;
}

export function regression(): Task<ScoredRecord, NumberPrediction> {
  const task: Task<ScoredRecord, NumberPrediction> = {
    kind: "regression",
    labels: ["value"],
    problemType: "regression",
    settings: {},
    best: { metric: "mse", better: "lower" },
    grouped: false,
    columns: ["text", "pair", "label"],
    head: numberHead,
    fit: () => task,
    record: (input) => (typeof input === "string" ? { text: input } : input),
    read(fields, where, labelled) {
      const texts = readTexts(fields, where);
      const given = field(fields, "label");
      const value = finiteNumber(given);
      if (value !== undefined) return { ...texts, label: value };
      if (!labelled && given === undefined) return texts;
      throw missing(fields, "label", "a number", given, where);
    },
    encode: (tokenizer, { text, pair }, { maxLength }) => encodeRows(tokenizer, { text, pair }, { maxLength }),
    targets({ label }, _rows, where) {
      if (label === undefined || !Number.isFinite(label))
        throw new ConfigError(`${where}: expected a number as label, got ${label ?? "none"}.`);
      return [[label]];
    },
    decode: (_record, _rows, [logits = new Float32Array(1)]) => ({ value: logits[0] as number }),
    score: (records, outputs) => ({
      ...regressionScores(
        records.map(({ label }) => label ?? NaN),
        outputs.map(({ value }) => value),
      ),
    }),
    cells: ({ value }) => ({ value }),
  };
  return task;
}
