/**
 * The scheme of tags: how tags of words spell entities. The scheme is detected from the training data, or given, and is
 * saved with the task.
 *
 *   IOB1, IOB2, IOE1, IOE2, IOBES, BILOU   as seqeval names them; IOB2 is also called BIO, IOBES also BIOES
 *   BMES                                   IOBES with M for I (and W for S)
 *   IO                                     I-X only
 *   bare                                   X without a letter: neighbours of one type are one entity
 *   none                                   no entities: each tag counts by itself, as parts of speech do
 *
 * Tags keep their spelling. A letter may be lower-case, and `_` may stand for the dash. A scheme reads tags as BIOES
 * tags, in which entities are counted.
 */
import { ConfigError } from "@cloze/errors";
import { entitiesOf, type Entity, type StrictScheme } from "@cloze/eval";

export const TAG_SCHEMES = ["IOB1", "IOB2", "IO", "IOE1", "IOE2", "IOBES", "BILOU", "BMES", "bare", "none"] as const;
export type TagSchemeName = (typeof TAG_SCHEMES)[number];
export type EntityScheme = Exclude<TagSchemeName, "none">;

export type TagSequences = readonly (readonly string[])[];

interface SchemeRule {
  /** Letters besides O, in the order of labels. */
  readonly letters: string;
  /** The scheme of seqeval whose strict mode counts the tags, read as BIOES. */
  readonly strict: StrictScheme;
}

const RULES: { readonly [S in EntityScheme]: SchemeRule } = {
  IOB1: { letters: "BI", strict: "IOB1" },
  IOB2: { letters: "BI", strict: "IOB2" },
  IO: { letters: "I", strict: "IOB1" },
  IOE1: { letters: "IE", strict: "IOE1" },
  IOE2: { letters: "IE", strict: "IOE2" },
  IOBES: { letters: "BIES", strict: "IOBES" },
  BILOU: { letters: "BILU", strict: "IOBES" },
  BMES: { letters: "BMES", strict: "IOBES" },
  bare: { letters: "", strict: "IOB1" },
};

export const strictSchemeOf = (scheme: EntityScheme): StrictScheme => RULES[scheme].strict;

const AS_BIOES: Readonly<Record<string, string>> = { L: "E", U: "S", M: "I", W: "S" };

interface TagParts {
  /** Upper-case. */
  readonly letter: string;
  /** The dash or underscore; "" for a letter alone. */
  readonly dash: string;
  /** "" for a letter alone. */
  readonly type: string;
  readonly lower: boolean;
}

const isOutside = (tag: string): boolean => tag === "O" || tag === "o";

function typedParts(tag: string): TagParts | undefined {
  const [, letter = "", dash = "", type = ""] = /^([BIESLUMW])([-_])(.+)$/is.exec(tag) ?? [];
  return letter === ""
    ? undefined
    : { letter: letter.toUpperCase(), dash, type, lower: letter === letter.toLowerCase() };
}

const letterParts = (tag: string): TagParts | undefined =>
  /^[BIESLUMW]$/.test(tag) ? { letter: tag, dash: "", type: "", lower: false } : undefined;

/** The tag as a tag of BIOES. A tag that the scheme does not know is outside. */
export function asBioes(tag: string, scheme: EntityScheme): string {
  if (isOutside(tag)) return "O";
  if (scheme === "bare") return `I-${tag}`;
  const parts = typedParts(tag) ?? letterParts(tag);
  if (parts === undefined) return "O";
  const { letter, type } = parts;
  return `${AS_BIOES[letter] ?? letter}${type === "" ? "" : "-"}${type}`;
}

/** The entities of a sentence: as seqeval's default mode counts them, or as its strict mode does. */
export function schemeEntities(
  tags: readonly string[],
  scheme: EntityScheme,
  mode: "default" | "strict" = "default",
): readonly Entity[] {
  const read = tags.map((tag) => asBioes(tag, scheme));
  return mode === "default" ? entitiesOf(read) : entitiesOf(read, strictSchemeOf(scheme));
}

/**
 * The scheme of a set of tags, without their order: IOB2 where it may be IOB1. A set that no scheme spells is "none".
 */
export function schemeOfLabels(labels: readonly string[]): TagSchemeName {
  const { typed, inside } = spelling(labels);
  const found = 2 * typed.length >= inside.length ? typed : [];
  return schemeOfLetters(found) ?? schemeOfLetters(lettersAlone(labels)) ?? (isBare(labels) ? "bare" : "none");
}

/**
 * The scheme of training data. `place` names a word in errors.
 *
 * Throws: ConfigError for tags of several schemes, for tags without a letter among tags with letters, and for letters
 * behind the type (PER-B).
 */
export function detectScheme(sequences: TagSequences, place: (record: number, word: number) => string): TagSchemeName {
  const tags = [...new Set(sequences.flat())];
  const { typed, inside, others } = spelling(tags);
  const fail = (tag: string, expected: string): never => {
    const record = sequences.findIndex((each) => each.includes(tag));
    throw new ConfigError(
      `${place(record, sequences[record]?.indexOf(tag) ?? 0)}: ${expected}, got ${JSON.stringify(tag)}. Correct ` +
        'the tags, or choose --tag-scheme ("none": each tag by itself).',
    );
  };
  if (typed.length > 0 && others.length > 0 && (typed.length < inside.length / 2 ? tags.some(isOutside) : true))
    fail(others[0] as string, `expected a letter and a type, as ${asWritten(tags, typed[0] as TagParts)} has`);
  const plausible = tags.some(isOutside) || typed.some(({ letter }) => letter === "B" || letter === "I");
  if (typed.length > 0 && others.length === 0 && plausible) {
    const scheme = schemeOfLetters(typed);
    const odd = (): string => tags.find((tag) => /^[ELMSUW]/i.test(tag) && !isOutside(tag)) as string;
    return scheme === undefined
      ? fail(odd(), `expected tags of one scheme, got the letters ${lettersIn(typed)} together`)
      : withOrder(scheme, sequences);
  }
  const behind = inside.filter((tag) => /.[-_][BIESLU]$/.test(tag));
  if (behind.length > 0 && behind.length === inside.length)
    fail(behind[0] as string, "expected the letter before the type, as B-PER");
  const alone = schemeOfLetters(lettersAlone(tags));
  return alone === undefined ? (isBare(tags) ? "bare" : "none") : withOrder(alone, sequences);
}

/** Checks tags against a scheme. Throws ConfigError for a tag that is not of the scheme. */
export function checkScheme(
  sequences: TagSequences,
  scheme: TagSchemeName,
  place: (record: number, word: number) => string,
): void {
  if (scheme === "none" || scheme === "bare") return;
  const letters = `${RULES[scheme].letters}${scheme === "BMES" ? "W" : ""}`;
  for (const [record, tags] of sequences.entries()) {
    const word = tags.findIndex(
      (tag) => !isOutside(tag) && !letters.includes((typedParts(tag) ?? letterParts(tag))?.letter ?? "?"),
    );
    if (word >= 0)
      throw new ConfigError(
        `${place(record, word)}: expected a tag of ${scheme} (O, ` +
          `${[...RULES[scheme].letters].map((l) => `${l}-…`).join(", ")}), ` +
          `got ${JSON.stringify(tags[word])}. Choose another --tag-scheme.`,
      );
  }
}

/**
 * The labels of a model for these tags: "O", then for each type all tags of the scheme. So a type with only B- tags in
 * the data gets an I- tag too.
 */
export function labelsOfScheme(sequences: TagSequences, scheme: TagSchemeName): readonly string[] {
  const tags = [...new Set(sequences.flat())].sort();
  const outside = tags.filter(isOutside);
  if (scheme === "none" || scheme === "bare") return tags;
  const letters = scheme === "BMES" && tags.some((tag) => /^W/i.test(tag)) ? "BMEW" : RULES[scheme].letters;
  const { typed } = spelling(tags);
  if (typed.length === 0) return [...new Set([...tags, ...letters])];
  const { dash, lower } = typed[0] as TagParts;
  const types = [...new Set(typed.map(({ type }) => type))].sort();
  return [
    ...(outside.length > 0 ? outside : [lower ? "o" : "O"]),
    ...types.flatMap((type) => [...(lower ? letters.toLowerCase() : letters)].map((l) => `${l}${dash}${type}`)),
  ];
}

interface Spelling {
  /** Tags that are not outside. */
  readonly inside: readonly string[];
  readonly typed: readonly TagParts[];
  /** Tags that are neither outside nor a letter with a type. */
  readonly others: readonly string[];
}

function spelling(tags: readonly string[]): Spelling {
  const inside = tags.filter((tag) => !isOutside(tag));
  const parts = inside.map(typedParts);
  return {
    inside,
    typed: parts.filter((each) => each !== undefined),
    others: inside.filter((_, i) => parts[i] === undefined),
  };
}

/** The parts of tags that are letters without types. Empty if other tags are among them, or too few letters. */
function lettersAlone(tags: readonly string[]): readonly TagParts[] {
  const inside = tags.filter((tag) => tag !== "O");
  const parts = inside.map(letterParts).filter((each) => each !== undefined);
  const has = (letters: string): boolean => [...letters].every((letter) => tags.includes(letter));
  return parts.length === inside.length && (has("BIO") || has("BES") || has("BLU") || has("BMEW")) ? parts : [];
}

/** Whether types stand without letters: beside O, all other tags are longer than a letter. */
const isBare = (tags: readonly string[]): boolean =>
  tags.some(isOutside) && tags.length > 1 && tags.every((tag) => isOutside(tag) || tag.length > 1);

const lettersIn = (parts: readonly TagParts[]): string =>
  [...new Set(parts.map(({ letter }) => letter))].sort().join(", ");

function schemeOfLetters(parts: readonly TagParts[]): EntityScheme | undefined {
  const letters = new Set(parts.map(({ letter }) => letter));
  const only = (allowed: string): boolean => [...letters].every((letter) => allowed.includes(letter));
  if (letters.size === 0) return undefined;
  if (only("I")) return "IO";
  if (only("BI")) return "IOB2";
  if (only("IE")) return "IOE2";
  if (only("BIES")) return "IOBES";
  if (only("BILU")) return "BILOU";
  return only("BMESW") ? "BMES" : undefined;
}

/** The scheme with its number, 1 or 2, which the order of tags tells. */
function withOrder(scheme: EntityScheme, sequences: TagSequences): EntityScheme {
  if (scheme !== "IOB2" && scheme !== "IOE2") return scheme;
  const mark = scheme === "IOB2" ? "B" : "E";
  // The mark of IOB1 and IOE1 stands only between two entities of one type; in IOB2 and IOE2 every entity has it.
  let absent = 0;
  let loose = 0;
  for (const tags of sequences) {
    const read = tags.map((tag) => asBioes(tag, scheme));
    const ordered = mark === "B" ? read : read.toReversed();
    for (const [i, tag] of ordered.entries()) {
      if (tag === "O") continue;
      const before = ordered[i - 1];
      const touches = before !== undefined && before.slice(1) === tag.slice(1) && before !== "O";
      if (tag.startsWith(mark)) loose += touches ? 0 : 1;
      else if (!touches) absent++;
    }
  }
  return absent > 0 && loose === 0 ? (scheme === "IOB2" ? "IOB1" : "IOE1") : scheme;
}

const asWritten = (tags: readonly string[], { letter, type }: TagParts): string =>
  tags.find((tag) => tag.toUpperCase().startsWith(letter) && tag.endsWith(type)) ?? "B-PER";
