/** A tiny BERT, a tiny vocabulary, and examples with patterns to learn. The tests of tasks use them. */
import { backend } from "@cloze/backend-reference";
import type { Backend } from "@cloze/backend";
import type { HostTensors } from "@cloze/graph";
import { headParameters, openModel, type Head, type OpenedModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { RandomStream } from "@cloze/random";
import { wordPiece, type WordPieceTokenizer } from "@cloze/tokenizer-wordpiece";

const WORDS = [
  "good",
  "bad",
  "fine",
  "poor",
  "film",
  "plot",
  "a",
  "the",
  "is",
  "was",
  "ann",
  "bob",
  "rome",
  "oslo",
  "lives",
  "in",
  "who",
  "where",
  "?",
  ".",
  ",",
  "very",
  "not",
  "##ly",
  "##s",
];

export const tokenizer: WordPieceTokenizer = wordPiece({
  vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...WORDS],
});

export const opened: OpenedModel = await openModel({
  model_type: "bert",
  vocab_size: tokenizer.vocabulary.length,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 64,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  initializer_range: 0.2,
});

export const engine: Backend = backend();

/** Initial weights of the model with one head. */
export const weightsOf = (head: Head, labels: number, seed = 1): HostTensors =>
  initialize(headParameters(opened.model, head, labels), seed);

/** Sentences that one word makes good or bad. */
export function reviews(count: number, seed = 3): { readonly text: string; readonly label: string }[] {
  const stream = new RandomStream(seed).split("reviews");
  return Array.from({ length: count }, (_, i) => {
    const draw = stream.split(i);
    const good = draw.below(2, 0) === 1;
    const word = (good ? ["good", "fine"] : ["bad", "poor"])[draw.below(2, 1)] as string;
    const noun = ["film", "plot"][draw.below(2, 2)] as string;
    return {
      text: `the ${noun} ${draw.below(2, 3) === 0 ? "is" : "was"}${" very".repeat(draw.below(4, 4))} ${word} .`,
      label: good ? "positive" : "negative",
    };
  });
}
