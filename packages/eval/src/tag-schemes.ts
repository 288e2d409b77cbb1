/**
 * The strict tag schemes of entities: which tags begin an entity, which continue it, and which end it.
 *
 * A pattern is three parts: letters of the previous tag, letters of the tag, and whether their types must be the same.
 * An entity goes from a tag that starts, over the tags that continue, to the first tag that does not. It counts only if
 * this tag ends it.
 *
 *   IOB1    I-X; B-X only where an entity touches another one of its type      IOB2   B-X, then I-X
 *   IOE1    I-X; E-X only where an entity touches another one of its type      IOE2   I-X, then E-X
 *   IOBES   S-X, or B-X (I-X)* E-X                                             BILOU  the same with U for S, L for E
 *
 * Source: the patterns of seqeval 1.2.2, seqeval/scheme.py, with their gaps (in IOB1, B-X after O begins nothing).
 */
export const STRICT_SCHEMES = ["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"] as const;
export type StrictScheme = (typeof STRICT_SCHEMES)[number];

export interface Tag {
  readonly letter: string;
  readonly type: string;
}

type Types = "same" | "other" | "any";
type Pattern = readonly [previous: string, tag: string, types: Types];

interface Patterns {
  readonly letters: string;
  readonly start: readonly Pattern[];
  readonly inside: readonly Pattern[];
  readonly end: readonly Pattern[];
}

const ANY = "OBIESLU";

const closedBy = (single: string, last: string): Patterns => ({
  letters: `OBI${last}${single}`,
  start: [[ANY, `B${single}`, "any"]],
  inside: [["BI", `I${last}`, "same"]],
  end: [[single + last, ANY, "any"]],
});

const PATTERNS: { readonly [S in StrictScheme]: Patterns } = {
  IOB1: {
    letters: "OBI",
    start: [
      ["O", "I", "any"],
      ["I", "I", "other"],
      ["B", "I", "any"],
      ["IB", "B", "same"],
    ],
    inside: [["BI", "I", "same"]],
    end: [
      ["BI", "I", "other"],
      ["BI", "O", "any"],
      ["I", "B", "any"],
      ["B", "B", "same"],
    ],
  },
  IOB2: {
    letters: "OBI",
    start: [[ANY, "B", "any"]],
    inside: [["BI", "I", "same"]],
    end: [
      ["BI", "OB", "any"],
      ["BI", "I", "other"],
    ],
  },
  IOE1: {
    letters: "OIE",
    start: [
      ["OE", "I", "any"],
      ["I", "I", "other"],
      ["E", "E", "same"],
    ],
    inside: [["I", "IE", "same"]],
    end: [
      ["I", "IE", "other"],
      ["I", "O", "any"],
      ["E", "IE", "same"],
    ],
  },
  IOE2: {
    letters: "OIE",
    start: [
      ["OE", "IE", "any"],
      ["I", "IE", "other"],
    ],
    inside: [["I", "IE", "same"]],
    end: [["E", ANY, "any"]],
  },
  IOBES: closedBy("S", "E"),
  BILOU: closedBy("U", "L"),
};

/** The letters of a scheme, O first. */
export const lettersOf = (scheme: StrictScheme): string => PATTERNS[scheme].letters;

const OUTSIDE: Tag = { letter: "O", type: "_" };

/** Entities [start, end) of the tags, in order. */
export function strictEntities(
  tags: readonly Tag[],
  scheme: StrictScheme,
): { readonly type: string; readonly start: number; readonly end: number }[] {
  const { start, inside, end } = PATTERNS[scheme];
  const found: { type: string; start: number; end: number }[] = [];
  const at = (i: number): Tag => tags[i] ?? OUTSIDE;
  for (let i = 0; i < tags.length;) {
    const first = i++;
    if (!fits(start, at(first - 1), at(first))) continue;
    while (fits(inside, at(i - 1), at(i))) i++;
    if (fits(end, at(i - 1), at(i))) found.push({ type: at(first).type, start: first, end: i });
  }
  return found;
}

const fits = (patterns: readonly Pattern[], previous: Tag, tag: Tag): boolean =>
  patterns.some(
    ([before, letters, types]) =>
      before.includes(previous.letter) &&
      letters.includes(tag.letter) &&
      (types === "any" || (types === "same") === (previous.type === tag.type)),
  );
