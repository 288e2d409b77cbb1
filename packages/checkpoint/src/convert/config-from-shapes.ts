/**
 * A config.json made from tensor shapes, for a checkpoint that has no config.json. Tensors have Hugging Face's names.
 *
 * Shapes give all sizes of an encoder except the number of heads. For ESM-2 the number of heads comes from the contact
 * head ([1, layers * heads]) or from the rotary frequencies ([headDim / 2]). BERT has neither tensor, so the caller
 * gives the number. No tensor shows the dropout rates, the eps of the norms or the activation: these get the values of
 * the family's published models.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { float, type ConfigObject } from "./config-text.ts";

export type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * Throws: ConfigError where there are no encoder layers, or where the number of heads is unknown or does not divide the
 * hidden size; UnsupportedError for other families, and for an ESM with another alphabet.
 */
export function configFromShapes(
  shapes: Shapes,
  { heads, source }: { readonly heads?: number | undefined; readonly source: string },
): ConfigObject {
  const family = (
    [
      ["bert", "bert."],
      ["esm", "esm."],
    ] as const
  ).find(([, prefix]) => shapes.has(`${prefix}embeddings.word_embeddings.weight`));
  if (family === undefined)
    throw new UnsupportedError(
      `${source}: expected a config.json, or the tensors of a BERT or ESM-2, of which one can be made, got ` +
        `${[...shapes.keys()].slice(0, 3).join(", ")}, …. Put the model's config.json beside the weights.`,
    );
  const [type, prefix] = family;
  const of = (name: string): readonly number[] => shapes.get(name) ?? [];
  const [vocab = 0, hidden = 0] = of(`${prefix}embeddings.word_embeddings.weight`);
  const [intermediate = 0] = of(`${prefix}encoder.layer.0.intermediate.dense.weight`);
  let layers = 0;
  while (shapes.has(`${prefix}encoder.layer.${layers}.attention.self.query.weight`)) layers++;
  if (layers === 0 || intermediate === 0)
    throw new ConfigError(`${source}: expected encoder layers from 0 on, got none. Is this the whole checkpoint?`);
  const told = heads ?? (type === "esm" ? esmHeads(shapes, hidden, layers) : undefined);
  if (told === undefined)
    throw new ConfigError(
      `${source}: the number of heads cannot be told from shapes. Give it: --heads N (the published models of ` +
        `width ${hidden} have ${Math.max(1, Math.round(hidden / 64))}).`,
    );
  if (!Number.isInteger(told) || told < 1 || hidden % told !== 0)
    throw new ConfigError(`${source}: expected a number of heads that divides the width ${hidden}, got ${told}.`);
  const sizes = {
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: told,
    intermediate_size: intermediate,
    vocab_size: vocab,
  };
  return type === "bert" ? bertConfig(shapes, sizes) : esmConfig(shapes, sizes);
}

type Sizes = Readonly<Record<string, number>>;

function bertConfig(shapes: Shapes, sizes: Sizes): ConfigObject {
  const [positions] = shapes.get("bert.embeddings.position_embeddings.weight") ?? [];
  const [types] = shapes.get("bert.embeddings.token_type_embeddings.weight") ?? [];
  const [labels] = shapes.get("classifier.weight") ?? [];
  const lm = shapes.has("cls.predictions.bias");
  const pair = shapes.has("cls.seq_relationship.weight");
  const architecture =
    labels !== undefined
      ? "BertForSequenceClassification"
      : shapes.has("qa_outputs.weight")
        ? "BertForQuestionAnswering"
        : lm && pair
          ? "BertForPreTraining"
          : lm
            ? "BertForMaskedLM"
            : "BertModel";
  return {
    architectures: [architecture],
    model_type: "bert",
    ...sizes,
    max_position_embeddings: positions ?? 512,
    type_vocab_size: types ?? 2,
    hidden_act: "gelu",
    hidden_dropout_prob: float(0.1),
    attention_probs_dropout_prob: float(0.1),
    initializer_range: float(0.02),
    layer_norm_eps: float(1e-12),
    pad_token_id: 0,
    ...(labels === undefined ? {} : labelNames(labels)),
  };
}

/** Names for the labels: transformers takes a classifier's number of outputs from the number of labels. */
function labelNames(count: number): ConfigObject {
  const names = Array.from({ length: count }, (_, i) => `LABEL_${i}`);
  return {
    id2label: Object.fromEntries(names.map((name, i) => [String(i), name])),
    label2id: Object.fromEntries(names.map((name, i) => [name, i])),
  };
}

function esmConfig(shapes: Shapes, sizes: Sizes): ConfigObject {
  const [positions] = shapes.get("esm.embeddings.position_embeddings.weight") ?? [];
  if (sizes["vocab_size"] !== 33)
    throw new UnsupportedError(
      `ESM: expected the 33 tokens of its alphabet, got ${sizes["vocab_size"]}, of which it is not known which ` +
        "hide and which pad. Put a config.json beside the weights.",
    );
  return {
    architectures: [shapes.has("lm_head.bias") ? "EsmForMaskedLM" : "EsmModel"],
    model_type: "esm",
    ...sizes,
    max_position_embeddings: positions ?? 1026,
    position_embedding_type: positions === undefined ? "rotary" : "absolute",
    emb_layer_norm_before: shapes.has("esm.embeddings.layer_norm.weight"),
    token_dropout: true,
    mask_token_id: 32,
    pad_token_id: 1,
    hidden_dropout_prob: float(0),
    attention_probs_dropout_prob: float(0),
    initializer_range: float(0.02),
    layer_norm_eps: float(1e-5),
    is_folding_model: false,
    use_cache: true,
    esmfold_config: null,
    vocab_list: null,
  };
}

function esmHeads(shapes: Shapes, hidden: number, layers: number): number | undefined {
  const contacts = shapes.get("esm.contact_head.regression.weight")?.[1];
  const half = shapes.get("esm.encoder.layer.0.attention.self.rotary_embeddings.inv_freq")?.[0];
  return contacts !== undefined ? contacts / layers : half !== undefined ? hidden / (2 * half) : undefined;
}
