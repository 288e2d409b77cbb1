/**
 * The head of multiple choice. Every choice is its own row with one score, and a softmax over the rows of a record
 * gives the answer. Records may have different numbers of choices; the rows of a record are consecutive in a batch.
 *
 * Targets of each row: [index of the row's choice, number of choices, correct choice]. The head works like
 * BertForMultipleChoice of transformers.
 */
import { crossEntropy, type Tensor } from "@cloze/graph";
import type { ChoiceModel } from "@cloze/nn";
import { sequenceStates, f32Feed, i32Feed } from "./sequence-head.ts";
import type { Head } from "./task.ts";

export const choiceHead: Head = {
  requires: "multiple-choice",
  width: 1,
  perToken: false,
  logits: (scope, model, inputs) =>
    (model as ChoiceModel).scoreChoice(scope, sequenceStates(scope, model as ChoiceModel, inputs)),
  targetFeeds(batch, targetOf) {
    const records: { readonly row: number; readonly choices: number; readonly right: number }[] = [];
    for (const { row, example } of batch.sequences) {
      const target = targetOf(example);
      const place = target[0] as number;
      const choices = target[1] as number;
      const right = target[2] as number;
      if (place === 0) records.push({ row, choices, right });
    }
    const most = records.reduce((n, { choices }) => Math.max(n, choices), 1);
    const room = Math.max(1, Math.floor(batch.rows / 2));
    const shape = [room, most];
    const index = new Int32Array(room * most);
    const present = new Float32Array(room * most);
    const target = new Int32Array(room);
    const weight = new Float32Array(room);
    for (const [i, { row, choices, right }] of records.entries()) {
      for (let c = 0; c < choices; c++) {
        index[i * most + c] = row + c;
        present[i * most + c] = 1;
      }
      target[i] = right;
      weight[i] = 1;
    }
    return {
      "task.rows": i32Feed(shape, index),
      "task.present": f32Feed(shape, present),
      "task.target": i32Feed([room], target),
      "task.weight": f32Feed([room], weight),
    };
  },
  loss(logits, feeds) {
    const rows = feeds["task.rows"] as Tensor<"i32">;
    const target = feeds["task.target"] as Tensor<"i32">;
    const weight = feeds["task.weight"] as Tensor<"f32">;
    const scores = (feeds["task.present"] as Tensor<"f32">).greater(0).select(logits.reshape([-1]).gather(rows), -1e9);
    return {
      loss: { sum: crossEntropy(scores, target).mul(weight).sum(), weight: weight.sum() },
      metrics: {
        accuracy: { sum: scores.argMax(-1).equal(target).cast("f32").mul(weight).sum(), weight: weight.sum() },
      },
    };
  },
};
