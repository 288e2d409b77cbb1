/**
 * The naming conventions that cloze converts: fair-esm, TensorFlow BERT, and Hugging Face's own with its old names.
 *
 * The results equal those of the transformers scripts `convert_esm.py` and
 * `convert_bert_original_tf_checkpoint_to_pytorch.py`.
 * Sources: fair-esm `esm/model/esm2.py` and `esm/pretrained.py`; google-research/bert `modeling.py`,
 * `run_pretraining.py` and `run_classifier.py`; the two scripts above.
 */
import type { Naming, NamingRule } from "./naming.ts";

/**
 * fairseq saves names with prefixes that fair-esm strips: `encoder.sentence_encoder.` before the encoder, `encoder.`
 * before the head.
 */
const esmLayer = "(?:encoder\\.)?(?:sentence_encoder\\.)?layers\\.(\\d+)\\.";
const esmRoot = "(?:encoder\\.)?(?:sentence_encoder\\.)?";
const inLayer = (part: string, to: string): NamingRule => ({
  from: new RegExp(`${esmLayer}${part}\\.(weight|bias)`),
  to: `esm.encoder.layer.$1.${to}.$2`,
});
const both = (part: string, to: string): NamingRule => ({
  from: new RegExp(`${esmRoot}${part}\\.(weight|bias)`),
  to: `${to}.$1`,
});

/** The names of ESM-2, ESM-1b and ESM-1v, as `esm.pretrained` loads them. */
export const fairEsm: Naming = /* @__PURE__ */ ((): Naming => ({
  name: "fair-esm",
  marks: /(?:^|\.)layers\.\d+\.self_attn\.q_proj\.weight$/,
  rules: [
    inLayer("self_attn\\.q_proj", "attention.self.query"),
    inLayer("self_attn\\.k_proj", "attention.self.key"),
    inLayer("self_attn\\.v_proj", "attention.self.value"),
    inLayer("self_attn\\.out_proj", "attention.output.dense"),
    inLayer("self_attn_layer_norm", "attention.LayerNorm"),
    inLayer("fc1", "intermediate.dense"),
    inLayer("fc2", "output.dense"),
    inLayer("final_layer_norm", "LayerNorm"),
    {
      from: new RegExp(`${esmLayer}self_attn\\.rot_emb\\.inv_freq`),
      to: "esm.encoder.layer.$1.attention.self.rotary_embeddings.inv_freq",
    },
    { from: new RegExp(`${esmRoot}embed_tokens\\.weight`), to: "esm.embeddings.word_embeddings.weight" },
    { from: new RegExp(`${esmRoot}embed_positions\\.weight`), to: "esm.embeddings.position_embeddings.weight" },
    both("emb_layer_norm_before", "esm.embeddings.layer_norm"),
    both("emb_layer_norm_after", "esm.encoder.emb_layer_norm_after"),
    both("contact_head\\.regression", "esm.contact_head.regression"),
    both("lm_head\\.dense", "lm_head.dense"),
    both("lm_head\\.layer_norm", "lm_head.layer_norm"),
    { from: new RegExp(`${esmRoot}lm_head\\.weight`), to: "lm_head.decoder.weight" },
    { from: new RegExp(`${esmRoot}lm_head\\.bias`), to: "lm_head.bias" },
  ],
  leaves: [[/(?:^|\.)version$/, "fairseq's version mark"]],
  copies: { "lm_head.decoder.weight": "esm.embeddings.word_embeddings.weight" },
}))();

/**
 * The TF classes of transformers add to a name: a Keras scope before the model, `:0` after a variable, and `layer_._0`
 * for `layer_0`.
 */
const tfBert = "(?:[^/]+/)?bert/";
const tfEnd = "(?::0)?";
const tfLayer = `${tfBert}encoder/layer_(?:\\._)?(\\d+)/`;
const tfCls = "(?:[^/]+/)?(?:mlm___|nsp___)?cls/";
const dense = (scope: string, to: string, group: string): readonly NamingRule[] => [
  { from: new RegExp(`${scope}/kernel${tfEnd}`), to: `${to}.weight`.replace("#", group), transpose: true },
  { from: new RegExp(`${scope}/bias${tfEnd}`), to: `${to}.bias`.replace("#", group) },
];
const norm = (scope: string, to: string, group: string): readonly NamingRule[] => [
  { from: new RegExp(`${scope}/LayerNorm/gamma${tfEnd}`), to: `${to}.LayerNorm.weight`.replace("#", group) },
  { from: new RegExp(`${scope}/LayerNorm/beta${tfEnd}`), to: `${to}.LayerNorm.bias`.replace("#", group) },
];
const table = (name: string): NamingRule => ({
  from: new RegExp(`${tfBert}embeddings/${name}(?:/weight|/embeddings)?${tfEnd}`),
  to: `bert.embeddings.${name}.weight`,
});

/** The names of google-research/bert and of the TF classes of transformers. */
export const tensorflowBert: Naming = /* @__PURE__ */ ((): Naming => ({
  name: "tf-bert",
  marks: /(?:^|\/)bert\/(?:encoder\/layer_|embeddings\/)/,
  rules: [
    table("word_embeddings"),
    table("token_type_embeddings"),
    table("position_embeddings"),
    ...norm(`${tfBert}embeddings`, "bert.embeddings", ""),
    ...dense(`${tfLayer}attention/self/query`, "bert.encoder.layer.#.attention.self.query", "$1"),
    ...dense(`${tfLayer}attention/self/key`, "bert.encoder.layer.#.attention.self.key", "$1"),
    ...dense(`${tfLayer}attention/self/value`, "bert.encoder.layer.#.attention.self.value", "$1"),
    ...dense(`${tfLayer}attention/output/dense`, "bert.encoder.layer.#.attention.output.dense", "$1"),
    ...norm(`${tfLayer}attention/output`, "bert.encoder.layer.#.attention.output", "$1"),
    ...dense(`${tfLayer}intermediate/dense`, "bert.encoder.layer.#.intermediate.dense", "$1"),
    ...dense(`${tfLayer}output/dense`, "bert.encoder.layer.#.output.dense", "$1"),
    ...norm(`${tfLayer}output`, "bert.encoder.layer.#.output", "$1"),
    ...dense(`${tfBert}pooler/dense`, "bert.pooler.dense", ""),
    ...dense(`${tfCls}predictions/transform/dense`, "cls.predictions.transform.dense", ""),
    ...norm(`${tfCls}predictions/transform`, "cls.predictions.transform", ""),
    { from: new RegExp(`${tfCls}predictions/(?:output_bias|bias)${tfEnd}`), to: "cls.predictions.bias" },
    // Already [2, hidden]: not transposed.
    { from: new RegExp(`${tfCls}seq_relationship/output_weights${tfEnd}`), to: "cls.seq_relationship.weight" },
    { from: new RegExp(`${tfCls}seq_relationship/output_bias${tfEnd}`), to: "cls.seq_relationship.bias" },
    ...dense(`${tfCls}seq_relationship`, "cls.seq_relationship", ""),
    { from: /output_weights/, to: "classifier.weight" }, // already [labels, hidden]
    { from: /output_bias/, to: "classifier.bias" },
    ...dense("(?:[^/]+/)?classifier", "classifier", ""),
    ...dense("(?:[^/]+/)?qa_outputs", "qa_outputs", ""),
  ],
  leaves: [
    [/\/(?:adam_[mv]|AdamWeightDecayOptimizer(?:_1)?|LAMBOptimizer(?:_1)?)(?::0)?$/, "state of the optimizer"],
    [/^(?:global_step|good_steps|bad_steps|loss_scale)(?::0)?$/, "state of the training"],
    [/^(?:_CHECKPOINTABLE_OBJECT_GRAPH|save_counter\/.*)$/, "TensorFlow's own notes"],
    [/(?:^|\/)decoder(?:\/weight)?:0$/, "a copy of the word embeddings"],
  ],
  copies: {},
}))();

/** Hugging Face's own names. Accepts every name. A norm's old name (`gamma`, `beta`) becomes today's. */
export const huggingFace: Naming = {
  name: "hugging-face",
  marks: /(?:^|\.)embeddings\.word_embeddings\.weight$/,
  rules: [
    { from: /(.*)LayerNorm\.gamma/, to: "$1LayerNorm.weight" },
    { from: /(.*)LayerNorm\.beta/, to: "$1LayerNorm.bias" },
    { from: /(.*)/s, to: "$1" },
  ],
  leaves: [],
  copies: {},
};

/** All conventions, in the order in which `namingOf` tries them. */
export const namings: readonly [Naming, Naming, Naming] = [fairEsm, tensorflowBert, huggingFace];
