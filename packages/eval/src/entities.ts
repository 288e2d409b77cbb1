/**
 * Entities from tags, and the scores of entities. An entity is correct if its type, its first word and its last word
 * are correct.
 *
 *   conll          lenient, like conlleval: a tag that continues nothing also begins an entity (I-PER after O)
 *   IOB2, IOBES…   strict: see tag-schemes.ts; an I-X without a beginning is no entity
 *
 * A tag is `O`, or a letter, a dash and a type. A single letter has the type "_". The lenient mode reads L as E and U
 * as S, so that BILOU has a lenient mode too; seqeval's default knows neither. Source: Ramshaw and Marcus 1995;
 * conlleval. Checked against seqeval 1.2 (default mode, and strict mode with each scheme), test/goldens/tasks.json
 * and test/goldens/tag-schemes.json.
 */
import { ConfigError } from "@cloze/errors";
import { averagedScores, type Scores, type SupportedScores } from "./averaged-scores.ts";
import { lettersOf, strictEntities, type StrictScheme, type Tag } from "./tag-schemes.ts";

export type TagScheme = "conll" | StrictScheme;

export interface Entity {
  readonly type: string;
  /** `start`: index of the first word. `end`: index after the last word. */
  readonly start: number;
  readonly end: number;
}

const OUTSIDE: Tag = { letter: "O", type: "" };

function tagOf(text: string): Tag {
  if (text === "O") return OUTSIDE;
  return { letter: text.slice(0, 1), type: text.slice(text[1] === "-" ? 2 : 1) || "_" };
}

/**
 * The entities of one sentence, in order.
 *
 * Throws: ConfigError on a tag that is not in the scheme.
 *
 * @example
 * entitiesOf(["B-PER", "I-PER", "O", "I-LOC"])
 * // => [{ type: "PER", start: 0, end: 2 }, { type: "LOC", start: 3, end: 4 }]
 */
export function entitiesOf(tags: readonly string[], scheme: TagScheme = "conll"): readonly Entity[] {
  const parsed = tags.map(tagOf);
  const letters = scheme === "conll" ? "OBIESLU" : lettersOf(scheme);
  const wrong = parsed.findIndex(({ letter }) => !letters.includes(letter) || letter === "");
  if (wrong >= 0)
    throw new ConfigError(
      `entities: expected tags of ${scheme} (${[...letters].join(", ")}), got ${JSON.stringify(tags[wrong])} at ` +
        `word ${wrong + 1}. Is it another scheme?`,
    );
  return scheme === "conll" ? lenient(parsed.map(closedAsBioes)) : strictEntities(parsed, scheme);
}

const closedAsBioes = ({ letter, type }: Tag): Tag => ({
  letter: letter === "L" ? "E" : letter === "U" ? "S" : letter,
  type,
});

function lenient(tags: readonly Tag[]): Entity[] {
  const found: Entity[] = [];
  let before = OUTSIDE;
  let start = 0;
  for (const [i, tag] of [...tags, OUTSIDE].entries()) {
    if (endsBefore(before, tag)) found.push({ type: before.type, start, end: i });
    if (startsAt(before, tag)) start = i;
    before = tag;
  }
  return found;
}

const closed = ({ letter }: Tag): boolean => letter === "E" || letter === "S";
const opening = ({ letter }: Tag): boolean => letter === "B" || letter === "S";

/** Whether the entity of the previous tag `before` ends before `tag`. */
const endsBefore = (before: Tag, tag: Tag): boolean =>
  before.letter !== "O" && (closed(before) || opening(tag) || tag.letter === "O" || before.type !== tag.type);

const startsAt = (before: Tag, tag: Tag): boolean =>
  tag.letter !== "O" && (opening(tag) || closed(before) || before.letter === "O" || before.type !== tag.type);

export interface EntityScores {
  readonly micro: Scores;
  readonly macro: Scores;
  readonly weighted: Scores;
  readonly types: Readonly<Record<string, SupportedScores>>;
  /** Number of entities in the targets. */
  readonly entities: number;
  /** Fraction of the single tags that are correct. */
  readonly accuracy: number;
}

/**
 * Shapes: targets and predictions `[sentences][words]`, tags.
 * Throws: ConfigError if the numbers of sentences or words differ.
 */
export function entityScores(
  targets: readonly (readonly string[])[],
  predictions: readonly (readonly string[])[],
  scheme: TagScheme = "conll",
): EntityScores {
  if (targets.length !== predictions.length)
    throw new ConfigError(
      `entityScores: expected predictions for ${targets.length} sentences, got ${predictions.length}.`,
    );
  const hits = new Map<string, number>();
  const predicted = new Map<string, number>();
  const present = new Map<string, number>();
  let words = 0;
  let right = 0;
  for (const [i, truth] of targets.entries()) {
    const guess = predictions[i] as readonly string[];
    if (guess.length !== truth.length)
      throw new ConfigError(
        `entityScores: sentence ${i + 1}: expected ${truth.length} tags, got ${guess.length}. Give one for each word.`,
      );
    words += truth.length;
    right += truth.filter((tag, w) => tag === guess[w]).length;
    const there = entitiesOf(truth, scheme);
    const keys = new Set(there.map(keyOf));
    for (const { type } of there) count(present, type);
    for (const entity of entitiesOf(guess, scheme)) {
      count(predicted, entity.type);
      if (keys.has(keyOf(entity))) count(hits, entity.type);
    }
  }
  const types = [...new Set([...present.keys(), ...predicted.keys()])].sort();
  const column = (counts: ReadonlyMap<string, number>): Float64Array =>
    Float64Array.from(types, (type) => counts.get(type) ?? 0);
  const { micro, macro, weighted, classes } = averagedScores({
    hits: column(hits),
    predicted: column(predicted),
    present: column(present),
  });
  return {
    micro,
    macro,
    weighted,
    types: Object.fromEntries(types.map((type, k) => [type, classes[k] as SupportedScores])),
    entities: classes.reduce((n, { support }) => n + support, 0),
    accuracy: words > 0 ? right / words : 0,
  };
}

const keyOf = ({ type, start, end }: Entity): string => `${start} ${end} ${type}`;
const count = (counts: Map<string, number>, type: string): void => void counts.set(type, (counts.get(type) ?? 0) + 1);
