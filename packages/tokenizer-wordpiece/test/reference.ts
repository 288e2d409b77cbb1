/**
 * A second, slow and plain implementation of BERT's tokenizer, directly from its rules: strings, no tables of units, no
 * cache, no trie, no scanner. It shares only the sets of characters with the package. It leaves out the offsets of
 * marks that canonical ordering moves.
 */
import {
  IS_CHINESE,
  IS_COMPOSED,
  IS_DROPPED,
  IS_MARK,
  IS_PUNCTUATION,
  IS_SPACE,
  type CodePoints,
} from "../src/code-points.ts";

export interface ReferenceToken {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly word: number;
}
export interface Reference {
  readonly points: CodePoints;
  readonly vocabulary: readonly string[];
  readonly uncased: boolean;
  /** Tokens that are never split. */
  readonly special: readonly string[];
}

interface Piece {
  readonly character: string;
  readonly from: number;
  readonly to: number;
}

export function referenceTokens(reference: Reference, text: string): ReferenceToken[] {
  const tokens: ReferenceToken[] = [];
  let word = 0;
  let rest = 0;
  for (let i = 0; i <= text.length; i++) {
    const special = reference.special
      .filter((token) => text.startsWith(token, i))
      .toSorted((a, b) => b.length - a.length)[0];
    if (special === undefined && i < text.length) continue;
    for (const pieces of words(reference, characters(reference, text, rest, i))) {
      tokens.push(...matched(reference, pieces).map((token) => ({ ...token, word })));
      word++;
    }
    if (special === undefined) break;
    tokens.push({ id: reference.vocabulary.indexOf(special), from: i, to: i + special.length, word: word++ });
    rest = i + special.length;
    i = rest - 1;
  }
  return tokens;
}

/** The normalized characters, each with its place. */
function characters({ points: { flags }, uncased }: Reference, text: string, start: number, end: number): Piece[] {
  const is = (character: string, flag: number): boolean =>
    ((flags[character.codePointAt(0) as number] as number) & flag) !== 0;
  let pieces: Piece[] = [];
  let at = start;
  for (const given of text.slice(start, end)) {
    pieces.push({ character: /^\p{Cs}$/u.test(given) ? "\ufffd" : given, from: at, to: at + given.length });
    at += given.length;
  }
  pieces = pieces
    .filter(({ character }) => !is(character, IS_DROPPED))
    .map((piece) => (is(piece.character, IS_SPACE) ? { ...piece, character: " " } : piece));
  pieces = pieces.flatMap((piece) =>
    is(piece.character, IS_CHINESE) ? [{ ...piece, character: " " }, piece, { ...piece, character: " " }] : [piece],
  );
  if (!uncased) return pieces;
  const split = (piece: Piece, into: string): Piece[] => [...into].map((character) => ({ ...piece, character }));
  return pieces
    .flatMap((piece) => (is(piece.character, IS_COMPOSED) ? [piece] : split(piece, piece.character.normalize("NFD"))))
    .filter(({ character }) => !is(character, IS_MARK))
    .flatMap((piece) => split(piece, piece.character.toLowerCase()));
}

function words({ points: { flags } }: Reference, pieces: readonly Piece[]): Piece[][] {
  const found: Piece[][] = [[]];
  for (const piece of pieces) {
    const flag = flags[piece.character.codePointAt(0) as number] as number;
    if ((flag & IS_SPACE) !== 0) found.push([]);
    else if ((flag & IS_PUNCTUATION) !== 0) found.push([piece], []);
    else found.at(-1)?.push(piece);
  }
  return found.filter((word) => word.length > 0);
}

function matched({ vocabulary }: Reference, word: readonly Piece[]): Omit<ReferenceToken, "word">[] {
  const tokens: Omit<ReferenceToken, "word">[] = [];
  const place = (from: number, to: number) => ({ from: (word[from] as Piece).from, to: (word[to - 1] as Piece).to });
  const unknown = [{ id: vocabulary.indexOf("[UNK]"), ...place(0, word.length) }];
  if (word.length > 100) return unknown;
  for (let start = 0; start < word.length;) {
    let end = word.length;
    let id = -1;
    for (; end > start; end--) {
      id = vocabulary.indexOf(
        (start > 0 ? "##" : "") +
          word
            .slice(start, end)
            .map((piece) => piece.character)
            .join(""),
      );
      if (id >= 0) break;
    }
    if (id < 0) return unknown;
    tokens.push({ id, ...place(start, end) });
    start = end;
  }
  return tokens;
}
