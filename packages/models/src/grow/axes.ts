/**
 * The factors of the axes of each family's parameters, so that the axes can grow: a rule for every parameter; the first
 * match counts.
 *
 * A factor is a number, the number of heads, or `rest`, the remaining size of the axis. `same` may not change:
 * vocabularies, positions, labels. A matrix is summed over its last axis, marked `in`: dividing the copies along this
 * axis keeps the sum. A tied decoder is the table of embeddings, which cannot be divided. There the norm before the
 * decoder is divided, marked `tied`.
 */
export type Factor = number | "heads" | "rest";

export interface Axis {
  readonly factors: readonly Factor[] | "same";
  /**
   * "in": this parameter is summed over this axis. "tied": the decoder after this parameter sums over it, where the
   * decoder is the table of embeddings.
   */
  readonly summed?: "in" | "tied";
}

export interface AxisRule {
  /** Matches the end of the parameter's name. */
  readonly name: RegExp;
  /** "new": the parameter does not come from the small model. */
  readonly axes: readonly Axis[] | "new";
}

const same: Axis = { factors: "same" };
const width: Axis = { factors: ["rest"] };
const summed = ({ factors }: Axis): Axis => ({ factors, summed: "in" });
const beforeDecoder: Axis = { factors: ["rest"], summed: "tied" };
/** Channels of each head: in order; as two halves that rotary positions turn together; as pairs of neighbours. */
const heads: Axis = { factors: ["heads", "rest"] };
const halves: Axis = { factors: ["heads", 2, "rest"] };
const pairs: Axis = { factors: ["heads", "rest", 2] };
const gated: Axis = { factors: [2, "rest"] };

/** The rules of a linear layer: its weight and its bias, which may be absent. */
function linear(name: string, out: Axis, into: Axis): readonly AxisRule[] {
  return [
    { name: new RegExp(`(^|\\.)${name}\\.weight$`), axes: [out, summed(into)] },
    { name: new RegExp(`(^|\\.)${name}\\.bias$`), axes: [out] },
  ];
}
const table = (name: string, columns: Axis = width): AxisRule => ({
  name: new RegExp(`(^|\\.)${name}\\.weight$`),
  axes: [same, columns],
});
const norm = (name: string, axis: Axis = width): AxisRule => ({
  name: new RegExp(`(^|\\.)${name}\\.(weight|bias)$`),
  axes: [axis],
});
const vector = (name: string, axis: Axis): AxisRule => ({ name: new RegExp(`(^|\\.)${name}$`), axes: [axis] });

/** The rules of layers with the names of BERT. */
const transformer = (head: Axis): readonly AxisRule[] => [
  ...linear("attention\\.self\\.(query|key|value)", head, width),
  ...linear("attention\\.output\\.dense", width, head),
  ...linear("(intermediate|output|pooler|transform)\\.dense", width, width),
  table("(word|position|token_type)_embeddings"),
  norm("predictions\\.transform\\.LayerNorm", beforeDecoder),
  norm("LayerNorm"),
];
const gatedRms = (head: Axis, projections: readonly AxisRule[]): readonly AxisRule[] => [
  table("encoder"),
  ...projections,
  ...linear("wo", width, head),
  ...linear("ffn\\.w12", gated, width),
  ...linear("ffn\\.w3", width, width),
  norm("(attention_norm|ffn_norm|layer_norm|layer_norm_1|layer_norm_2)"),
  ...linear("decoder", same, width),
];

/** The rules of each family, by `model_type`. */
export const axisRules: Readonly<Record<string, () => readonly AxisRule[]>> = {
  bert: () => [
    ...transformer(heads),
    ...linear("cls\\.seq_relationship", same, width),
    ...linear("cls\\.predictions\\.decoder", same, width),
    vector("cls\\.predictions\\.bias", same),
  ],
  esm: () => [
    ...transformer(halves),
    norm("lm_head\\.layer_norm", beforeDecoder),
    norm("(layer_norm|emb_layer_norm_after)"),
    ...linear("lm_head\\.dense", width, width),
    ...linear("lm_head\\.decoder", same, width),
    vector("lm_head\\.bias", same),
    { name: /(^|\.)contact_head\.regression\.(weight|bias)$/, axes: "new" },
  ],
  modernbert: () => [
    table("tok_embeddings"),
    ...linear("attn\\.Wqkv", { factors: [3, "heads", 2, "rest"] }, width),
    ...linear("attn\\.Wo", width, halves),
    ...linear("mlp\\.Wi", gated, width),
    ...linear("(mlp\\.Wo|head\\.dense)", width, width),
    norm("head\\.norm", beforeDecoder),
    norm("(embeddings\\.norm|attn_norm|mlp_norm|final_norm)"),
    ...linear("decoder", same, width),
  ],
  cloze_speedrun: () => [
    table("tokens"),
    table("values\\.\\d+", halves),
    ...linear("attention\\.(query|key|value)", halves, width),
    ...linear("attention\\.output", width, halves),
    ...linear("(mlp\\.up|mlp\\.down|lm_head\\.dense)", width, width),
    vector("(lambdas|value_lambdas)", same),
    ...linear("lm_head\\.decoder", same, width),
    vector("skip_weights", width),
  ],
  AMPLIFY: () => gatedRms(pairs, linear("(q|k|v)", pairs, width)),
  neobert: () => gatedRms(pairs, linear("qkv", { factors: ["heads", 3, "rest", 2] }, width)),
};
