/**
 * What the axes of each family's parameters are made of, so that they can grow: a rule for every parameter, first match
 * counts.
 *
 * A factor is a number, the count of heads, or `rest`, what remains of the axis. `same` may not change: vocabularies,
 * positions, labels. Axes marked `in` are summed over: their copies can be divided so that the sum stays what it was.
 * That is the last axis of a matrix, and of a tied decoder, which is the table of embeddings, the norm before it.
 */
export type Factor = number | "heads" | "rest";

export interface Axis {
  readonly factors: readonly Factor[] | "same";
  /** Summed over; `tied`: by what follows, where the decoder is the table of embeddings. */
  readonly summed?: "in" | "tied";
}

export interface AxisRule {
  /** Of the parameter's name, at its end. */
  readonly name: RegExp;
  /** "new": nothing of the small model says anything of it. */
  readonly axes: readonly Axis[] | "new";
}

const same: Axis = { factors: "same" };
const width: Axis = { factors: ["rest"] };
const summed = ({ factors }: Axis): Axis => ({ factors, summed: "in" });
const beforeDecoder: Axis = { factors: ["rest"], summed: "tied" };
/** Of each head: channels as they are; as two halves that turn together by rotary positions; as pairs of neighbours. */
const heads: Axis = { factors: ["heads", "rest"] };
const halves: Axis = { factors: ["heads", 2, "rest"] };
const pairs: Axis = { factors: ["heads", "rest", 2] };
const gated: Axis = { factors: [2, "rest"] };

/** A linear layer: weight and, where it has one, bias. */
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

/** Layers under the names of BERT. */
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

/** By `model_type`. */
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
