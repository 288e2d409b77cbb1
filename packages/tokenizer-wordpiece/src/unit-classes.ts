/**
 * The class of each UTF-16 unit. With it, the scanner reads a text with one table look-up per unit.
 *
 * The scanner looks up a stretch of WORD and MIXED units as a whole. A SPACE unit is only a boundary. A SINGLE unit is
 * a boundary and one token. A MIXED unit may act on its neighbours or may change (dropped controls, marks, surrogates,
 * characters that decompose). A stretch with a MIXED unit needs the complete definition in normalize.ts.
 */
import { IS_CHINESE, IS_DROPPED, IS_MARK, IS_PUNCTUATION, IS_SPACE, type CodePoints } from "./code-points.ts";
import type { NormalizerOptions } from "./normalize.ts";

export const SPACE = 0;
export const SINGLE = 1;
/** One character of a word, independent of its neighbours. */
export const WORD = 2;
export const MIXED = 3;

/** [65536] SPACE, SINGLE, WORD or MIXED. */
export function unitClasses(points: CodePoints, options: NormalizerOptions): Uint8Array {
  const classes = new Uint8Array(0x10000);
  for (let unit = 0; unit < 0x10000; unit++)
    classes[unit] = classOf(points, options, unit, points.flags[unit] as number);
  return classes;
}

function classOf(points: CodePoints, options: NormalizerOptions, unit: number, flag: number): number {
  if (unit >= 0xd800 && unit < 0xe000) return MIXED;
  if (options.cleanText && (flag & IS_DROPPED) !== 0) return MIXED;
  if ((flag & IS_SPACE) !== 0) return SPACE;
  if (options.stripAccents && ((flag & IS_MARK) !== 0 || points.combining.has(unit))) return MIXED;
  const parts = options.stripAccents ? points.decomposed(unit) : [unit];
  const [part = unit] = parts;
  if (isAlone(options, flag))
    return parts.length === 1 && isAlone(options, points.flags[part] as number) ? SINGLE : MIXED;
  const small = options.lowercase ? points.lower(unit) : [unit];
  const [code = unit] = small;
  return parts.length > 1 || part !== unit || small.length > 1 || points.flags[code] !== flag ? MIXED : WORD;
}

function isAlone({ chineseCharacters }: NormalizerOptions, flag: number): boolean {
  return (flag & IS_PUNCTUATION) !== 0 || (chineseCharacters && (flag & IS_CHINESE) !== 0);
}
