/**
 * BERT's normalizer, exactly as in Python `tokenizers`. Each normalized character knows its place in the text.
 *
 * The steps, in this order: clean (drop controls, replace white space with a space), put spaces around Chinese
 * characters, decompose and strip accents, lower case. Where one character becomes several, all of them have its place.
 * Where marks are reordered by their combining class, the places stay in the order of the text, as in Python. This is
 * the slow and complete definition: the encoder runs it once per new word.
 * Source: BertNormalizer and NormalizedString of tokenizers 0.23.3; Unicode Standard Annex 15 (canonical ordering).
 */
import { IS_CHINESE, IS_DROPPED, IS_MARK, IS_SPACE, type CodePoints } from "./code-points.ts";

export interface NormalizerOptions {
  readonly cleanText: boolean;
  readonly chineseCharacters: boolean;
  readonly stripAccents: boolean;
  readonly lowercase: boolean;
}

/** Code points, each with its place [from, to) in the text, in UTF-16 units. The arrays have equal lengths. */
export interface Normalized {
  readonly codes: number[];
  readonly from: number[];
  readonly to: number[];
}

const SPACE = 0x20;
const REPLACEMENT = 0xfffd;
const FIRST_COMBINING = 0x300;

/**
 * Normalizes `text[start, end)`. Places count from the start of the text. A lone surrogate becomes U+FFFD, as in UTF-8.
 *
 * @param dropped called for each character that cleaning drops.
 */
export function normalize(
  points: CodePoints,
  options: NormalizerOptions,
  text: string,
  start: number,
  end: number,
  dropped?: (code: number) => void,
): Normalized {
  const cleaned = cleanedText(points, options, text, start, end, dropped);
  const stripped = options.stripAccents ? withoutAccents(points, cleaned) : cleaned;
  return options.lowercase ? lowered(points, stripped) : stripped;
}

function cleanedText(
  { flags }: CodePoints,
  { cleanText, chineseCharacters }: NormalizerOptions,
  text: string,
  start: number,
  end: number,
  dropped?: (code: number) => void,
): Normalized {
  const codes: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  const push = (code: number, at: number, size: number): void => {
    codes.push(code);
    from.push(at);
    to.push(at + size);
  };
  for (let i = start; i < end;) {
    const { code, size } = codePointAt(text, i, end);
    const flag = flags[code] as number;
    if (cleanText && (flag & IS_DROPPED) !== 0) dropped?.(code);
    else if (cleanText && (flag & IS_SPACE) !== 0) push(SPACE, i, size);
    else if (chineseCharacters && (flag & IS_CHINESE) !== 0) {
      push(SPACE, i, size);
      push(code, i, size);
      push(SPACE, i, size);
    } else push(code, i, size);
    i += size;
  }
  return { codes, from, to };
}

function codePointAt(text: string, at: number, end: number): { readonly code: number; readonly size: 1 | 2 } {
  const unit = text.charCodeAt(at);
  if (unit < 0xd800 || unit > 0xdfff) return { code: unit, size: 1 };
  const next = unit < 0xdc00 && at + 1 < end ? text.charCodeAt(at + 1) : 0;
  if (next < 0xdc00 || next > 0xdfff) return { code: REPLACEMENT, size: 1 };
  return { code: 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00), size: 2 };
}

function withoutAccents(points: CodePoints, source: Normalized): Normalized {
  const codes: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  let taken = 0;
  const emit = (code: number, first: boolean): void => {
    if (first) taken++;
    if (((points.flags[code] as number) & IS_MARK) !== 0) return;
    codes.push(code);
    from.push(source.from[taken - 1] as number);
    to.push(source.to[taken - 1] as number);
  };
  // A run of combining characters, to be sorted by their classes.
  let run: { readonly code: number; readonly combining: number; readonly first: boolean }[] = [];
  const flush = (): void => {
    if (run.length === 0) return;
    for (const { code, first } of run.length === 1 ? run : run.toSorted((a, b) => a.combining - b.combining))
      emit(code, first);
    run = [];
  };
  for (const original of source.codes) {
    const parts = points.decomposed(original);
    for (let i = 0; i < parts.length; i++) {
      const code = parts[i] as number;
      const combining = code < FIRST_COMBINING ? 0 : (points.combining.get(code) ?? 0);
      if (combining > 0) run.push({ code, combining, first: i === 0 });
      else {
        flush();
        emit(code, i === 0);
      }
    }
  }
  flush();
  return { codes, from, to };
}

function lowered(points: CodePoints, source: Normalized): Normalized {
  const codes: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  for (let i = 0; i < source.codes.length; i++) {
    for (const lower of points.lower(source.codes[i] as number)) {
      codes.push(lower);
      from.push(source.from[i] as number);
      to.push(source.to[i] as number);
    }
  }
  return { codes, from, to };
}
