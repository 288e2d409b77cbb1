/**
 * Places in a text, and the change of their unit: UTF-16 units, in which JavaScript's strings count, and code points,
 * in which Python counts. A character beyond U+FFFF (an emoji, a mathematical letter) is two units and one code point.
 *
 * In the API places are UTF-16 units, so `text.slice(start, end)` is the text at them. In files they are code points.
 */

/** A place in a text, in UTF-16 units: `text.slice(place)` begins there. */
export type Utf16Index = number;

/** A place in a text, in code points, as Python counts: `text[place:]` of Python begins there. */
export type CodePointIndex = number;

/** [2 * length] Start and end of each token in its text, in UTF-16 units: [start0, end0, start1, …]. */
export type Utf16Offsets = Int32Array;

/** Makes a function from places of a text in UTF-16 units to places in code points. Price: one pass over the text. */
export function codePointIndexOf(text: string): (place: Utf16Index) => CodePointIndex {
  if (!/[\ud800-\udbff]/.test(text)) return (place) => place;
  // For each unit the number of code points that begin before it.
  const before = new Int32Array(text.length + 1);
  for (let i = 0, count = 0; i < text.length;) {
    const width = (text.codePointAt(i) as number) > 0xffff ? 2 : 1;
    count++;
    before.fill(count, i + 1, i + width + 1);
    i += width;
  }
  return (place) => before[Math.min(place, text.length)] as number;
}

/**
 * The offsets of a text's tokens in code points, as Python `tokenizers` gives them.
 *
 * @example
 * codePointOffsets("😀a", Int32Array.of(0, 2, 2, 3))  // => [0, 1, 1, 2]
 */
export function codePointOffsets(text: string, offsets: Utf16Offsets): Int32Array {
  return offsets.map(codePointIndexOf(text));
}

/** The place in UTF-16 units of a place in code points. A place behind the text is the text's end. */
export function utf16IndexOf(text: string, codePoint: CodePointIndex): Utf16Index {
  let place = 0;
  for (let left = codePoint; left > 0 && place < text.length; left--)
    place += (text.codePointAt(place) as number) > 0xffff ? 2 : 1;
  return place;
}
