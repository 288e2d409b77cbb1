/**
 * The sentence pairs of one document in one epoch: which sentences are the first text (A) of each pair, and which are
 * the second text (B). The plan needs only lengths.
 *
 * As in BERT's create_pretraining_data, sentences are gathered until they reach the target length. The target is the
 * longest length, or with probability `shortRate` a shorter length for the whole document. A cut drawn between two
 * gathered sentences parts A from B.
 *
 *   random   In half of the pairs, and if only one sentence is gathered, B comes from another document: the sentences
 *            from a drawn sentence on, until the target length is reached. The sentences behind the cut are put back
 *            and gathered again.
 *   swapped  In half of the pairs A and B change places (ALBERT). A gathering of one sentence takes one more sentence.
 *            A single last sentence stays a single text, without a pair.
 *
 * Every sentence of the document is in exactly one of the document's pairs, not counted where it is the random B of
 * another document. Draws are addressed by the document (the target) or by the first gathered sentence (all others).
 * Sources: Devlin et al. 2018, arXiv:1810.04805, appendix A.2; Lan et al. 2019, arXiv:1909.11942, section 3.1.
 */
import { ConfigError } from "@cloze/errors";
import { RandomStream } from "@cloze/random";
import type { DocumentDataset } from "./document-dataset.ts";

/** A text: sentences `first` to before `end` of the data set. */
export interface SentenceRange {
  readonly first: number;
  readonly end: number;
  /** Tokens kept of the text. */
  readonly kept: number;
  /** Tokens left out, at either end of the text. */
  readonly dropped: number;
}

export interface PlannedPair {
  /** The first gathered sentence. No two pairs of an epoch have the same. */
  readonly example: number;
  readonly a: SentenceRange;
  /** Undefined: a single text. */
  readonly b: SentenceRange | undefined;
  /** 0: B follows A in the document. 1: B does not follow A. */
  readonly label: 0 | 1;
}

export interface PairRule {
  readonly second: "random" | "swapped";
  /** Most tokens of A and B together, special tokens not counted. */
  readonly longest: number;
  /** Share of the documents whose pairs have a shorter target, drawn from 2 to `longest`. */
  readonly shortRate: number;
}

/** The number of special tokens in a pair: `[CLS] A [SEP] B [SEP]`. A single text has one `[SEP]` less. */
export const PAIR_FRAME = 3;

/** The draws of an epoch. */
export interface PairDraws {
  readonly isShort: RandomStream;
  readonly target: RandomStream;
  readonly cut: RandomStream;
  readonly label: RandomStream;
  readonly document: RandomStream;
  readonly start: RandomStream;
}

export function pairDraws(seed: number, epoch: number): PairDraws {
  const root = new RandomStream(seed).split("pairs").split(epoch);
  const of = (use: string): RandomStream => root.split(use);
  return {
    isShort: of("short"),
    target: of("target"),
    cut: of("cut"),
    label: of("label"),
    document: of("document"),
    start: of("start"),
  };
}

/**
 * The pairs of a document, in the order of the text. Throws ConfigError if the document or one of its sentences is
 * empty.
 */
export function pairsOfDocument(
  dataset: DocumentDataset,
  document: number,
  { second, longest, shortRate }: PairRule,
  draws: PairDraws,
): readonly PlannedPair[] {
  const [first, end] = dataset.sentencesOf(document);
  const pairs: PlannedPair[] = [];
  if (!(end > first))
    throw new ConfigError(
      `sentence pairs: expected sentences in every document, got none in document ${document}. Leave empty ` +
        "documents out.",
    );
  const lengthOf = (sentence: number): number => {
    const length = dataset.lengthOf(sentence);
    if (!(length > 0))
      throw new ConfigError(
        `sentence pairs: expected tokens in every sentence, got none in sentence ${sentence}. Leave empty ` +
          "sentences out.",
      );
    return length;
  };
  /** Gathers sentences from `from` until they hold `wanted` tokens and are `least` or more, or until `until`. */
  const gather = (
    from: number,
    until: number,
    wanted: number,
    least: number,
  ): { readonly end: number; readonly tokens: number } => {
    let at = from;
    let tokens = 0;
    while (at < until && (tokens < wanted || at < from + least)) tokens += lengthOf(at++);
    return { end: at, tokens };
  };
  const target = draws.isShort.uniform(document) < shortRate ? 2 + draws.target.below(longest - 1, document) : longest;
  for (let at = first; at < end;) {
    const chunk = gather(at, end, target, second === "swapped" ? 2 : 1);
    const sentences = chunk.end - at;
    const cut = at + (sentences > 1 ? 1 + draws.cut.below(sentences - 1, at) : 1);
    const a = gather(at, cut, Infinity, 1).tokens;
    const coin = draws.label.uniform(at) < 0.5;
    if (second === "random" && (sentences === 1 || coin)) {
      const [otherFirst, otherEnd] = dataset.sentencesOf(
        another(dataset, document, draws.document.below(dataset.documents - 1, at)),
      );
      const start = otherFirst + draws.start.below(otherEnd - otherFirst, at);
      const other = gather(start, otherEnd, target - a, 1);
      pairs.push(truncated(at, [at, cut, a], [start, other.end, other.tokens], 1, longest));
      at = cut;
    } else if (sentences === 1) {
      const kept = Math.min(a, longest + 1);
      pairs.push({ example: at, a: { first: at, end: cut, kept, dropped: a - kept }, b: undefined, label: 0 });
      at = chunk.end;
    } else {
      const before = [at, cut, a] as const;
      const after = [cut, chunk.end, chunk.tokens - a] as const;
      const swapped = second === "swapped" && coin;
      pairs.push(truncated(at, swapped ? after : before, swapped ? before : after, swapped ? 1 : 0, longest));
      at = chunk.end;
    }
  }
  return pairs;
}

/**
 * The other document that a draw below documents - 1 stands for. If the drawn document is a copy of `document`, takes
 * the next document that is not a copy.
 */
function another(dataset: DocumentDataset, document: number, drawn: number): number {
  const { documents } = dataset;
  const of = (each: number): number => dataset.originalOf?.(each) ?? each;
  const start = drawn < document ? drawn : drawn + 1;
  for (let i = 0; i < documents; i++) if (of((start + i) % documents) !== of(document)) return (start + i) % documents;
  throw new ConfigError(
    "sentence pairs: expected at least two documents that differ, for a random text is one of another document, " +
      "got one alone, repeated. Give more data.",
  );
}

type Measured = readonly [first: number, end: number, tokens: number];

function truncated(example: number, a: Measured, b: Measured, label: 0 | 1, longest: number): PlannedPair {
  const [keptA, keptB] = longestFirst(a[2], b[2], longest);
  const range = ([first, end, tokens]: Measured, kept: number): SentenceRange => ({
    first,
    end,
    kept,
    dropped: tokens - kept,
  });
  return { example, a: range(a, keptA), b: range(b, keptB), label };
}

/**
 * The lengths of two texts after they are cut to `longest` tokens together. One token at a time is cut from the longer
 * text; if both are equal, from the second text.
 *
 * @example
 * longestFirst(10, 4, 9)  // => [5, 4]
 */
export function longestFirst(a: number, b: number, longest: number): readonly [a: number, b: number] {
  let over = Math.max(0, a + b - longest);
  const level = Math.min(over, Math.abs(a - b));
  const shorter = Math.min(a, b);
  over -= level;
  const [levelA, levelB] = a > b ? [a - level, shorter] : [shorter, b - level];
  return [levelA - Math.floor(over / 2), levelB - Math.ceil(over / 2)];
}

/** The number of tokens that a pair takes in a row. */
export const pairLength = ({ a, b }: PlannedPair): number =>
  b === undefined ? a.kept + PAIR_FRAME - 1 : a.kept + b.kept + PAIR_FRAME;
