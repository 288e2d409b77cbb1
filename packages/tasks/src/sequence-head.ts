/**
 * The heads that classify a whole sequence, from its first token or from the mean over its tokens: one class of
 * several, independent labels, or a number.
 *
 *   classes   cross-entropy, each row weighted by its class's weight     targets [class]
 *   labels    binary cross-entropy, mean over the labels                 targets [0 or 1] * labels
 *   number    squared error                                              targets [number]
 *
 * They work like BertForSequenceClassification of transformers with its `problem_type`; class weights work like torch's
 * CrossEntropyLoss.
 */
import { crossEntropy, type HostTensor, type Tensor } from "@cloze/graph";
import type { EncoderInputs, Scope, SequenceClassifier } from "@cloze/nn";
import type { ModelParts } from "@cloze/objective";
import type { TokenBatch } from "@cloze/tokenizer";
import type { Head, RowTarget, TaskPart } from "./task.ts";

function logits(width: number): Head["logits"] {
  return (scope: Scope, model: ModelParts[TaskPart], inputs: EncoderInputs) =>
    (model as SequenceClassifier).classifySequence(
      scope,
      sequenceStates(scope, model as SequenceClassifier, inputs),
      width,
    );
}

/**
 * One state for each row's sequence: the state of its first token, or the mean over its tokens. Shape of the result:
 * `[rows, hidden]`.
 */
export function sequenceStates(
  scope: Scope,
  model: Pick<SequenceClassifier, "encode" | "hidden" | "pooling">,
  inputs: EncoderInputs,
): Tensor<"f32"> {
  const [rows, seq] = inputs.ids.shape as [number, number];
  const states = model.encode(scope, inputs);
  if (model.pooling !== "mean") return states.slice(1, 0, 1).reshape([rows, model.hidden]);
  // Values at padding are undefined, so a select removes them; a weight of zero would not. A row of padding alone gives
  // zero.
  const real = inputs.segments.greater(0).reshape([rows, seq, 1]);
  return real.select(states, 0).sum(1).div(real.cast("f32").sum(1).max(1));
}

export const f32Feed = (shape: readonly number[], data: Float32Array<ArrayBuffer>): HostTensor => ({
  dtype: "f32",
  shape,
  data,
});
export const i32Feed = (shape: readonly number[], data: Int32Array<ArrayBuffer>): HostTensor => ({
  dtype: "i32",
  shape,
  data,
});

/** Calls `put` with the row and the target of each example of a batch. */
export function eachTarget(
  { sequences }: TokenBatch,
  targetOf: (example: number) => RowTarget,
  put: (row: number, target: RowTarget) => void,
): void {
  for (const { row, example } of sequences) put(row, targetOf(example));
}

/** Head for one class of several. `weights`: by class. */
export function classesHead(classes: number, weights?: readonly number[]): Head {
  return {
    requires: "sequence-classification",
    width: classes,
    perToken: false,
    logits: logits(classes),
    targetFeeds(batch, targetOf) {
      const target = new Int32Array(batch.rows);
      const weight = new Float32Array(batch.rows);
      eachTarget(batch, targetOf, (row, given) => {
        const id = given[0] as number;
        target[row] = id;
        weight[row] = weights?.[id] ?? 1;
      });
      return { "task.target": i32Feed([batch.rows], target), "task.weight": f32Feed([batch.rows], weight) };
    },
    loss(x, feeds) {
      const target = feeds["task.target"] as Tensor<"i32">;
      const weight = feeds["task.weight"] as Tensor<"f32">;
      const counted = weight.greater(0).cast("f32");
      return {
        loss: { sum: crossEntropy(x, target).mul(weight).sum(), weight: weight.sum() },
        metrics: {
          accuracy: { sum: x.argMax(-1).equal(target).cast("f32").mul(counted).sum(), weight: counted.sum() },
        },
      };
    },
  };
}

export function labelsHead(labels: number, weights?: readonly number[]): Head {
  return {
    requires: "sequence-classification",
    width: labels,
    perToken: false,
    logits: logits(labels),
    targetFeeds(batch, targetOf) {
      const shape = [batch.rows, labels];
      const target = new Float32Array(batch.rows * labels);
      const weight = new Float32Array(batch.rows * labels);
      eachTarget(batch, targetOf, (row, given) => {
        for (let k = 0; k < labels; k++) {
          target[row * labels + k] = given[k] as number;
          weight[row * labels + k] = (weights?.[k] ?? 1) / labels;
        }
      });
      return { "task.target": f32Feed(shape, target), "task.weight": f32Feed(shape, weight) };
    },
    loss(x, feeds) {
      const target = feeds["task.target"] as Tensor<"f32">;
      const weight = feeds["task.weight"] as Tensor<"f32">;
      const counted = weight.greater(0).cast("f32");
      // log(1 + e^x) - x y, in a form that does not overflow.
      const loss = x.max(0).sub(x.mul(target)).add(x.abs().neg().exp().add(1).log());
      return {
        loss: { sum: loss.mul(weight).sum(), weight: weight.sum() },
        metrics: {
          accuracy: {
            sum: x.greater(0).cast("f32").equal(target).cast("f32").mul(counted).sum(),
            weight: counted.sum(),
          },
        },
      };
    },
  };
}

export const numberHead: Head = {
  requires: "sequence-classification",
  width: 1,
  perToken: false,
  logits: logits(1),
  targetFeeds(batch, targetOf) {
    const target = new Float32Array(batch.rows);
    const weight = new Float32Array(batch.rows);
    eachTarget(batch, targetOf, (row, given) => {
      target[row] = given[0] as number;
      weight[row] = 1;
    });
    return { "task.target": f32Feed([batch.rows], target), "task.weight": f32Feed([batch.rows], weight) };
  },
  loss(x, feeds) {
    const target = feeds["task.target"] as Tensor<"f32">;
    const weight = feeds["task.weight"] as Tensor<"f32">;
    return { loss: { sum: x.reshape([-1]).sub(target).square().mul(weight).sum(), weight: weight.sum() }, metrics: {} };
  },
};
