/**
 * The TypeScript side of a check against transformers. The first call saves a small model with random weights for each
 * head of each family, as training saves a model, with the model's outputs for some ids in expected.json. `heads.py`
 * opens these models in Python and saves them again. The second call opens the models that Python saved, and compares
 * their outputs with expected.json.
 *
 *     node --import tsx --conditions=@cloze/source tooling/python-check/save-heads.ts DIR
 *     python tooling/python-check/heads.py DIR
 *     node --import tsx --conditions=@cloze/source tooling/python-check/save-heads.ts DIR back
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadModel } from "../../apps/cli/src/model-files.ts";
import { Graph, interpret, type HostTensors, type Tensor } from "../../packages/graph/src/index.ts";
import {
  headParameters,
  openModel,
  type FamilyModel,
  type Head,
  type OpenedModel,
} from "../../packages/models/src/families.ts";
import { encoderInputs, initialize, rootScope, type Scope } from "../../packages/nn/src/index.ts";
import { saveCheckpoint } from "../../packages/trainer/src/index.ts";

const SMALL = {
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 48,
  hidden_dropout_prob: 0,
  initializer_range: 0.3,
};
const CONFIGS = {
  bert: { ...SMALL, model_type: "bert", vocab_size: 50, max_position_embeddings: 24 },
  untied: {
    ...SMALL,
    model_type: "bert",
    vocab_size: 50,
    max_position_embeddings: 24,
    tie_word_embeddings: false,
    hidden_act: "gelu_new",
  },
  modernbert: {
    ...SMALL,
    num_hidden_layers: 4,
    model_type: "modernbert",
    vocab_size: 50,
    max_position_embeddings: 24,
    local_attention: 6,
    classifier_pooling: "mean",
    pad_token_id: 0,
    bos_token_id: 2,
    cls_token_id: 2,
    eos_token_id: 3,
    sep_token_id: 3,
  },
  esm2: {
    ...SMALL,
    model_type: "esm",
    position_embedding_type: "rotary",
    vocab_size: 33,
    pad_token_id: 1,
    mask_token_id: 32,
    token_dropout: true,
    max_position_embeddings: 26,
  },
};
const LABELS = ["NEGATIVE", "NEUTRAL", "POSITIVE"];
const ids = [2, 7, 11, 13, 3, 17, 19, 5, 23, 3];
const types = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];

const has = <F>(method: F | undefined): F => {
  if (method === undefined) throw new Error("a family that names a head has it");
  return method;
};

/** The logits of each head, under the names that transformers uses. */
const OUTPUTS: {
  readonly [H in Head]: (
    model: FamilyModel,
    scope: Scope,
    states: Tensor<"f32">,
    first: Tensor<"f32">,
  ) => Readonly<Record<string, Tensor<"f32">>>;
} = {
  "masked-lm": (model, scope, states) => ({ logits: model.predict(scope, states) }),
  "sentence-pair": (model, scope, _, first) => ({ logits: has(model.relate)(scope, first) }),
  "masked-lm+sentence-pair": (model, scope, states, first) => ({
    prediction_logits: model.predict(scope, states),
    seq_relationship_logits: has(model.relate)(scope, first),
  }),
  "sequence-classification": (model, scope, _, first) => ({
    logits: has(model.classifySequence)(scope, first, LABELS.length),
  }),
  "token-classification": (model, scope, states) => ({
    logits: has(model.classifyTokens)(scope, states, LABELS.length),
  }),
  "question-answering": (model, scope, states) => ({
    start_logits: has(model.markSpan)(scope, states).slice(1, 0, 1),
    end_logits: has(model.markSpan)(scope, states).slice(1, 1, 2),
  }),
  "multiple-choice": (model, scope, _, first) => ({ logits: has(model.scoreChoice)(scope, first) }),
};

function outputsOf(model: FamilyModel, head: Head, weights: HostTensors): Readonly<Record<string, readonly number[]>> {
  const graph = new Graph();
  const scope = rootScope(graph);
  const inputs = encoderInputs(graph, 1, ids.length, { types: model.tokenTypes !== undefined });
  const encoded = model.encode(scope, inputs);
  const flat = encoded.reshape([-1, model.hidden]);
  const first = model.pooling === "mean" ? encoded.mean(1) : encoded.slice(1, 0, 1).reshape([1, model.hidden]);
  const logits = OUTPUTS[head](model, scope, flat, first);
  const feeds = { ids, types, segments: ids.map(() => 1), positions: ids.map((_, i) => i) };
  const values = interpret(Object.values(logits), {
    ...Object.fromEntries(Object.entries(weights).map(([key, { data }]) => [key, data])),
    ...feeds,
  });
  return Object.fromEntries(Object.keys(logits).map((key, i) => [key, Array.from(values[i]?.data ?? [])]));
}

async function save(
  dir: string,
  name: string,
  { model, buffers, maxLength, extraParameters, configText }: OpenedModel,
  head: Head,
): Promise<void> {
  const labels = head === "sequence-classification" || head === "token-classification" ? LABELS : undefined;
  const weights = initialize(new Map([...headParameters(model, head, LABELS.length), ...extraParameters]), 11);
  await saveCheckpoint(dir, {
    source: {
      name,
      model,
      buffers,
      maxLength,
      extraParameters,
      configText: configText({ head, ...(labels && { labels }) }),
    },
    weights,
    tokenizerFiles: {},
  });
  await writeFile(
    join(dir, "expected.json"),
    JSON.stringify({
      ids,
      ...(model.tokenTypes !== undefined && { types }),
      labels,
      outputs: outputsOf(model, head, weights),
    }),
  );
}

/** The largest difference from the model's outputs before Python saved the model. */
async function compare(dir: string, head: Head): Promise<number> {
  const { outputs: before } = JSON.parse(await readFile(join(dir, "expected.json"), "utf8")) as {
    readonly outputs: Readonly<Record<string, readonly number[]>>;
  };
  const { model, weights, heads } = await loadModel(join(dir, "again"));
  if (!heads.includes(head)) throw new Error(`${dir}: expected the head ${head}, got ${heads.join(", ")}`);
  return Math.max(
    ...Object.entries(outputsOf(model, head, weights)).flatMap(([name, values]) =>
      values.map((x, i) => Math.abs(x - (before[name]?.[i] ?? NaN))),
    ),
  );
}

const [, , out, mode] = process.argv;
if (out === undefined) throw new Error("expected a folder to write to");
for (const [name, config] of Object.entries(CONFIGS)) {
  const opened = await openModel(config);
  for (const head of Object.keys(opened.architectures) as Head[]) {
    const dir = join(out, `${name}-${head}`);
    if (mode !== "back") {
      await save(dir, name, opened, head);
      continue;
    }
    const worst = await compare(dir, head);
    console.log(`${name}-${head}: largest difference ${worst.toExponential(1)}`);
    if (!(worst <= 1e-4)) process.exitCode = 1;
  }
}
