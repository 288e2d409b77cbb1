/**
 * Token classification: a tag for each word, such as named entities, parts of speech or secondary structure. The first
 * piece of a word carries its tag; the other pieces have no label and are ignored. Long texts are cut into overlapping
 * windows, and a word's tag comes from the window with the most context around the word.
 *
 * Tags of entities are BIO or BIOES (B-PER, I-PER, O). Other tags are taken unchanged.
 */
import { ConfigError } from "@cloze/errors";
import { classReport, entitiesOf, entityScores, type ClassReport } from "@cloze/eval";
import { codePointIndexOf, type Tokenizer, type Utf16Index } from "@cloze/tokenizer";
import { encodeRows, firstPieces } from "./encode-text.ts";
import { field, labelTexts, listField, missing } from "./fields.ts";
import { checkLabels, classWeights, labelId, largest, softmaxOf } from "./labels.ts";
import type { EncodedRow, Task } from "./task.ts";
import { tagsHead, UNLABELLED } from "./token-heads.ts";

export interface TaggedRecord {
  /** Words, or a text that the tokenizer splits into words. */
  readonly words: readonly string[] | string;
  /** One tag for each word. Not allowed if `words` is a text. */
  readonly tags?: readonly string[] | undefined;
}

export interface TaggedWord {
  readonly text: string;
  readonly tag: string;
  /** Probability of the tag; 0 for a word without tokens. */
  readonly score: number;
  /** Place of the word in UTF-16 units, if the input was a text. */
  readonly start?: Utf16Index;
  readonly end?: Utf16Index;
}

export interface TaggedEntity {
  readonly type: string;
  readonly text: string;
  /** Mean of the words' scores. */
  readonly score: number;
  /**
   * Start in UTF-16 units if the input was a text (in files that `predict` writes: in code points, as in Python),
   * otherwise in words. `end` is the place after the last unit or word.
   */
  readonly start: Utf16Index | number;
  readonly end: Utf16Index | number;
}

export interface Tagging {
  readonly words: readonly TaggedWord[];
  readonly tags: readonly string[];
  /** The entities. Empty if the tags are not entity tags. */
  readonly entities: readonly TaggedEntity[];
}

export interface TokenClassificationOptions {
  /** Default: the tags of the training data, plus the missing tags of each entity type. */
  readonly labels?: readonly string[];
  readonly classWeights?: Readonly<Record<string, number>>;
}

const ENTITY_TAG = /^[BIES]-./;
/** Fraction of a window that the next window repeats. */
const OVERLAP = 1 / 4;

export function tokenClassification(options: TokenClassificationOptions = {}): Task<TaggedRecord, Tagging> {
  const labels = checkLabels(options.labels ?? [], "tokenClassification", 2);
  const ofEntities = labels.some((tag) => ENTITY_TAG.test(tag));
  const outside = labels.includes("O") ? "O" : (labels[0] ?? "O");
  return {
    kind: "token-classification",
    labels,
    settings: {},
    best: { metric: ofEntities || labels.length === 0 ? "f1" : "accuracy", better: "higher" },
    grouped: false,
    columns: ["words", "tags"],
    head: tagsHead(Math.max(2, labels.length), classWeights(options.classWeights, labels, "tokenClassification")),
    fit: (records) => tokenClassification({ ...options, labels: labels.length > 0 ? labels : tagSet(records) }),
    record: (input) => (typeof input === "string" ? { words: input } : input),
    read(fields, where, labelled) {
      const text = field(fields, "words") === undefined ? field(fields, "text") : undefined;
      if (!labelled && typeof text === "string") return { words: text };
      const words = listField(fields, "words", where);
      const given = field(fields, "tags");
      if (given === undefined && !labelled) return { words };
      const tags = labelTexts(given) ?? listField(fields, "tags", where);
      if (tags.length !== words.length)
        throw missing(fields, "tags", `${words.length} tags, one for each word`, tags, where);
      return { words, tags };
    },
    encode: (tokenizer, { words }, { maxLength }) =>
      encodeRows(tokenizer, { text: words }, { maxLength, stride: strideOf(tokenizer, maxLength) }),
    targets({ words, tags }, rows, where) {
      if (tags === undefined || typeof words === "string" || tags.length !== words.length)
        throw new ConfigError(
          `${where}: expected words with a tag for each, got ` +
            `${typeof words === "string" ? "a text" : `${words.length} words`} and ${tags?.length ?? "no"} tags.`,
        );
      const ids = tags.map((tag, w) => labelId(labels, tag, `${where}, word ${w + 1}`));
      const targets = rows.map(({ ids: { length } }) => new Int32Array(length).fill(UNLABELLED));
      for (const [word, { row, token }] of firstPieces(rows)) (targets[row] as Int32Array)[token] = ids[word] as number;
      return targets;
    },
    decode(record, rows, logits) {
      const words = readWords(record, rows, logits, labels, outside);
      const tags = words.map(({ tag }) => tag);
      return { words, tags, entities: ofEntities ? entitiesIn(record, words, tags) : [] };
    },
    score(records, outputs) {
      const { truth, guess } = sidesOf(records, outputs);
      const report = reportOf(labels, truth, guess);
      if (!ofEntities) return { accuracy: report.accuracy, macroF1: report.macro.f1, weightedF1: report.weighted.f1 };
      const { micro, macro, weighted } = entityScores(truth, guess);
      return {
        f1: micro.f1,
        precision: micro.precision,
        recall: micro.recall,
        macroF1: macro.f1,
        weightedF1: weighted.f1,
        accuracy: report.accuracy,
      };
    },
    byLabel(records, outputs) {
      const { truth, guess } = sidesOf(records, outputs);
      return ofEntities
        ? entityScores(truth, guess).types
        : Object.fromEntries(reportOf(labels, truth, guess).classes.map((scores, k) => [labels[k] as string, scores]));
    },
    inFile({ words: text }, output) {
      if (typeof text !== "string") return output;
      const place = codePointIndexOf(text);
      return {
        ...output,
        words: output.words.map((word) => ({ ...word, start: place(word.start ?? 0), end: place(word.end ?? 0) })),
        entities: output.entities.map((entity) => ({ ...entity, start: place(entity.start), end: place(entity.end) })),
      };
    },
    cells: ({ tags }) => ({ tags: tags.join(" ") }),
  };
}

type Tags = readonly (readonly string[])[];

const sidesOf = (
  records: readonly TaggedRecord[],
  outputs: readonly Tagging[],
): { readonly truth: Tags; readonly guess: Tags } => ({
  truth: records.map(({ tags = [] }) => tags),
  guess: outputs.map(({ tags }) => tags),
});

/** Class scores, word by word. */
function reportOf(labels: readonly string[], truth: Tags, guess: Tags): ClassReport {
  const ids = (all: Tags): number[] => all.flatMap((tags) => tags.map((tag) => labelId(labels, tag, "score")));
  return classReport(ids(truth), ids(guess), labels.length);
}

/** Number of tokens that neighbouring windows share. */
function strideOf(tokenizer: Tokenizer, maxLength: number): number {
  return Math.max(0, Math.floor((maxLength - tokenizer.encode("").ids.length) * OVERLAP));
}

/**
 * The tags of the data: "O", then for each type all tags of the scheme. So a type with only B- tags in the data gets an
 * I- tag too.
 */
function tagSet(records: readonly TaggedRecord[]): readonly string[] {
  const seen = new Set(records.flatMap(({ tags }, i) => tags ?? noTags(i)));
  const types = new Set<string>();
  const others = new Set<string>();
  for (const tag of seen) {
    if (ENTITY_TAG.test(tag)) types.add(tag.slice(2));
    else others.add(tag);
  }
  if (types.size === 0) return [...others].sort();
  const letters = [...seen].some((tag) => /^[ES]-./.test(tag)) ? "BIES" : "BI";
  return [
    "O",
    ...[...others].filter((tag) => tag !== "O").sort(),
    ...[...types].sort().flatMap((type) => [...letters].map((letter) => `${letter}-${type}`)),
  ];
}

function noTags(index: number): never {
  throw new RangeError(`labels are taken from tagged records; record ${index + 1} has no tags`);
}

function readWords(
  { words }: TaggedRecord,
  rows: readonly EncodedRow[],
  logits: readonly Float32Array[],
  labels: readonly string[],
  outside: string,
): readonly TaggedWord[] {
  const places = firstPieces(rows);
  const count = typeof words === "string" ? Math.max(-1, ...places.keys()) + 1 : words.length;
  const ends = typeof words === "string" ? wordEnds(rows) : undefined;
  return Array.from({ length: count }, (_, w): TaggedWord => {
    const place = places.get(w);
    const end = ends?.get(w);
    const chances =
      place &&
      softmaxOf(
        (logits[place.row] as Float32Array).subarray(place.token * labels.length, (place.token + 1) * labels.length),
      );
    const at = chances ? largest(chances) : -1;
    const tagged = { tag: labels[at] ?? outside, score: chances?.[at] ?? 0 };
    if (typeof words !== "string") return { text: words[w] as string, ...tagged };
    return { text: words.slice(end?.start, end?.end), ...tagged, start: end?.start ?? 0, end: end?.end ?? 0 };
  }).filter((_, w) => typeof words !== "string" || places.has(w));
}

/** Start and end of each word of a text, in UTF-16 units. */
function wordEnds(rows: readonly EncodedRow[]): ReadonlyMap<number, { readonly start: number; readonly end: number }> {
  const found = new Map<number, { start: number; end: number }>();
  for (const { words, offsets, sequences } of rows) {
    for (let t = 0; t < words.length; t++) {
      if (sequences[t] !== 0) continue;
      const word = words[t] as number;
      const start = offsets[2 * t] as number;
      const end = offsets[2 * t + 1] as number;
      const known = found.get(word);
      found.set(word, known ? { start: Math.min(known.start, start), end: Math.max(known.end, end) } : { start, end });
    }
  }
  return found;
}

function entitiesIn(
  { words: given }: TaggedRecord,
  words: readonly TaggedWord[],
  tags: readonly string[],
): readonly TaggedEntity[] {
  return entitiesOf(tags).map(({ type, start, end }) => {
    const part = words.slice(start, end);
    const score = part.reduce((sum, word) => sum + word.score, 0) / part.length;
    if (typeof given !== "string") return { type, text: part.map(({ text }) => text).join(" "), score, start, end };
    const first = part[0]?.start ?? 0;
    const last = part.at(-1)?.end ?? 0;
    return { type, text: given.slice(first, last), score, start: first, end: last };
  });
}
