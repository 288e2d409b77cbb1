/**
 * Truncation: the choice of the tokens of one or two texts that fit, and of the windows for the other tokens.
 *
 * "longest-first" shortens the longer text to the length of the shorter text, then both equally. An odd token goes to
 * the longer text, or to the second where both are equal. Windows advance by the kept length minus the stride. Where
 * both texts of a pair are cut, every window of one text meets every window of the other. Source: truncate_encodings,
 * Encoding::truncate and merge of Python `tokenizers` 0.23.3.
 */
import { ConfigError } from "@cloze/errors";
import type { TextEncodeOptions } from "./text-tokenizer.ts";

/** For each text the range [start, end) of its tokens. */
export type Window = readonly (readonly [start: number, end: number])[];

/**
 * The main window, then with `stride` the further windows.
 *
 * @param lengths number of tokens of the single text, or of both texts.
 * @param frame number of special tokens around them.
 */
export function windowsOf(lengths: readonly number[], frame: number, options: TextEncodeOptions): readonly Window[] {
  const { maxLength = Infinity, truncateSide = "right", stride } = options;
  const room = Math.floor(maxLength - frame);
  if (!(room >= 0)) {
    throw new ConfigError(
      `encode: expected maxLength of at least ${frame}, the special tokens alone, got ${maxLength}. Raise it, or ` +
        "pass special: false.",
    );
  }
  if (stride !== undefined && !(Number.isInteger(stride) && stride >= 0))
    throw new ConfigError(`encode: expected stride to be a whole number from 0, got ${stride}.`);
  const kept = keptLengths(lengths, room, options);
  const ranges = lengths.map((length, i) => rangesOf(length, kept[i] as number, stride, truncateSide));
  const [first = [], second] = ranges;
  if (second === undefined) return first.map((range) => [range]);
  const [a, ...moreA] = first as [Range, ...Range[]];
  const [b, ...moreB] = second as [Range, ...Range[]];
  return [[a, b], ...moreA.flatMap((x) => second.map((y) => [x, y])), ...moreB.map((y) => [a, y])];
}

type Range = readonly [start: number, end: number];

function keptLengths(
  lengths: readonly number[],
  room: number,
  { truncate = "longest-first" }: TextEncodeOptions,
): readonly number[] {
  const [first = 0, second] = lengths;
  const excess = first + (second ?? 0) - room;
  if (excess <= 0) return lengths;
  if (truncate === "longest-first") {
    if (second === undefined) return [room];
    const short = Math.min(first, second);
    let shorter = short;
    let longer = short > room ? short : Math.max(short, room - short);
    if (shorter + longer > room) {
      shorter = Math.floor(room / 2);
      longer = shorter + (room % 2);
    }
    return first > second ? [longer, shorter] : [shorter, longer];
  }
  const at = truncate === "only-first" ? 0 : 1;
  const length = lengths[at];
  if (length === undefined)
    throw new ConfigError(
      'encode: expected a pair for truncate: "only-second", got one text. Pass pair, or another way to truncate.',
    );
  if (length <= excess && !(length === excess && room === 0)) {
    throw new ConfigError(
      `encode: expected truncate: "${truncate}" to make room for ${room} tokens, got a text of ${length} where ` +
        `${excess} are too many. Raise maxLength, or truncate the other text.`,
    );
  }
  return lengths.map((n, i) => (i === at ? n - excess : n));
}

function rangesOf(length: number, kept: number, stride: number | undefined, side: "left" | "right"): readonly Range[] {
  if (kept >= length) return [[0, length]];
  if (stride === undefined) return [side === "right" ? [0, kept] : [length - kept, length]];
  if (stride >= kept) {
    throw new ConfigError(
      `encode: expected stride to be less than the ${kept} tokens that a window keeps of the text, got ` +
        `${stride}. Lower stride, or raise maxLength.`,
    );
  }
  const ranges: Range[] = [];
  const step = kept - stride;
  if (side === "right") {
    for (let start = 0; ; start += step) {
      const end = Math.min(start + kept, length);
      ranges.push([start, end]);
      if (end === length) return ranges;
    }
  }
  for (let end = length; ; end -= step) {
    const start = Math.max(0, end - kept);
    ranges.push([start, end]);
    if (start === 0) return ranges;
  }
}
