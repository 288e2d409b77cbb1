/**
 * What each UTF-16 unit is to the scanner, so that it reads a text with one table look-up per unit.
 *
 * A stretch of WORD and MIXED units between boundaries is looked up whole. White space is a boundary and nothing else;
 * a SINGLE unit is one token by itself. Whatever could act on its neighbours or become something else (dropped
 * controls, marks, surrogates, characters that decompose) is MIXED, and leaves the stretch to the whole definition in
 * normalize.ts.
 */
import { IS_CHINESE, IS_DROPPED, IS_MARK, IS_PUNCTUATION, IS_SPACE, type CodePoints } from "./code-points.ts";
import type { NormalizerOptions } from "./normalize.ts";

export const SPACE = 0;
export const SINGLE = 1;
/** One character of a word, whatever stands beside it. */
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
