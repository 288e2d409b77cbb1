/**
 * The heads that look at every token: a head for tags, and a head for the first and last token of an answer.
 *
 *   tags   cross-entropy at the tokens that have a label                            targets [tag or -100] * tokens
 *   span   mean of the cross-entropies of start and end, each over the row's tokens  targets [start, end]
 *
 * They work like BertForTokenClassification and BertForQuestionAnswering of transformers. A span's softmax leaves out
 * padding, so the length of a row does not change it.
 */
import { crossEntropy, type Tensor } from "@cloze/graph";
import { slotScope, type EncoderInputs, type Scope, type SpanModel, type TokenClassifier } from "@cloze/nn";
import type { ModelParts } from "@cloze/objective";
import { eachTarget, f32Feed, i32Feed } from "./sequence-head.ts";
import type { Head, TaskPart } from "./task.ts";

/** The target of a token without a label. */
export const UNLABELLED = -100;

function statesOf(scope: Scope, model: ModelParts[TaskPart], inputs: EncoderInputs): Tensor<"f32"> {
  return model.encode(scope, inputs).reshape([-1, model.hidden]);
}

const slotsOf = (scope: Scope, { ids }: EncoderInputs): Scope => slotScope(scope, ids.shape as [number, number]);

/** Head for tags. `weights`: by tag. */
export function tagsHead(tags: number, weights?: readonly number[]): Head {
  return {
    requires: "token-classification",
    width: tags,
    perToken: true,
    logits: (scope, model, inputs) =>
      (model as TokenClassifier)
        .classifyTokens(slotsOf(scope, inputs), statesOf(scope, model, inputs), tags)
        .reshape([...inputs.ids.shape, tags]),
    targetFeeds(batch, targetOf) {
      const shape = [batch.rows * batch.length];
      const target = new Int32Array(shape[0] as number);
      const weight = new Float32Array(shape[0] as number);
      eachTarget(batch, targetOf, (row, given) => {
        for (let i = 0; i < given.length; i++) {
          const tag = given[i] as number;
          if (tag === UNLABELLED) continue;
          target[row * batch.length + i] = tag;
          weight[row * batch.length + i] = weights?.[tag] ?? 1;
        }
      });
      return { "task.target": i32Feed(shape, target), "task.weight": f32Feed(shape, weight) };
    },
    loss(logits, feeds) {
      const x = logits.reshape([-1, tags]);
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

export const spanHead: Head = {
  requires: "question-answering",
  width: 2,
  perToken: true,
  logits: (scope, model, inputs) =>
    (model as SpanModel)
      .markSpan(slotsOf(scope, inputs), statesOf(scope, model, inputs))
      .reshape([...inputs.ids.shape, 2]),
  targetFeeds(batch, targetOf) {
    const start = new Int32Array(batch.rows);
    const end = new Int32Array(batch.rows);
    const weight = new Float32Array(batch.rows);
    eachTarget(batch, targetOf, (row, given) => {
      start[row] = given[0] as number;
      end[row] = given[1] as number;
      weight[row] = 1;
    });
    return {
      "task.start": i32Feed([batch.rows], start),
      "task.end": i32Feed([batch.rows], end),
      "task.weight": f32Feed([batch.rows], weight),
    };
  },
  loss(logits, feeds) {
    const [rows, length] = logits.shape as [number, number, number];
    const weight = feeds["task.weight"] as Tensor<"f32">;
    const inside = (feeds["segments"] as Tensor<"i32">).greater(0);
    const side = (at: number): Tensor<"f32"> =>
      inside.select(logits.slice(2, at, at + 1).reshape([rows, length]), -1e9);
    const start = side(0);
    const end = side(1);
    const first = feeds["task.start"] as Tensor<"i32">;
    const last = feeds["task.end"] as Tensor<"i32">;
    const right = start.argMax(-1).equal(first).and(end.argMax(-1).equal(last)).cast("f32");
    return {
      loss: {
        sum: crossEntropy(start, first).add(crossEntropy(end, last)).mul(0.5).mul(weight).sum(),
        weight: weight.sum(),
      },
      metrics: { accuracy: { sum: right.mul(weight).sum(), weight: weight.sum() } },
    };
  },
};
