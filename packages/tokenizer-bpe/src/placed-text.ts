/**
 * NFC text in which each character knows its place in the source text, by the rules of Python `tokenizers`.
 *
 * The JavaScript engine composes. The places follow from counts. In the NFD of a source character, the first part has
 * the number 0 and each further part has the number 1. For a composed character of k parts:
 *
 *     change = sum of the parts' numbers - (k - 1)
 *     change <= 0: it takes 1 - change source characters and has the place of the first; the others have no place
 *     change > 0:  it takes no source character and has the place of the last source character that was taken
 *
 * Source: NormalizedString::transform and its nfc of `tokenizers` 0.23.3; Unicode Standard Annex 15.
 */

export interface PlacedText {
  readonly text: string;
  /** Place of the text's first unit in the source. It applies where `places` is absent. */
  readonly base: number;
  /**
   * [text.length] For each unit the place [from, to) of its source character, in UTF-16 units. Absent: unit i is at
   * base + i.
   */
  readonly places?: { readonly from: Int32Array; readonly to: Int32Array };
}

/** Runs that NFC may change: a character, with the marks, vowels and finals that may join it. */
const RUNS: RegExp = /[^\p{M}\u1160-\u11ff\u{16d67}]?[\p{M}\u1160-\u11ff\u{16d67}]+|[^]/gu;

/** `text[start, end)`, unchanged. */
export function plainText(text: string, start: number, end: number): PlacedText {
  return { text: text.slice(start, end), base: start };
}

/** `text[start, end)` in NFC. */
export function composedText(text: string, start: number, end: number): PlacedText {
  const source = text.slice(start, end);
  const composed = source.normalize("NFC");
  if (composed === source) return { text: source, base: start };
  const from = new Int32Array(composed.length);
  const to = new Int32Array(composed.length);
  let out = 0;
  let at = start;
  const place = (character: string, begin: number, size: number): void => {
    for (let unit = 0; unit < character.length; unit++) {
      from[out] = begin;
      to[out++] = begin + size;
    }
  };
  for (const [run] of source.matchAll(RUNS)) {
    placeRun(run, at, place);
    at += run.length;
  }
  return { text: composed, base: start, places: { from, to } };
}

function placeRun(run: string, start: number, place: (character: string, begin: number, size: number) => void): void {
  const composed = run.normalize("NFC");
  let at = start;
  if (composed === run) {
    for (const character of run) {
      place(character, at, character.length);
      at += character.length;
    }
    return;
  }
  // NFC keeps the order of equal parts, so a queue per character finds each part.
  const parts = new Map<string, { readonly further: number[]; next: number }>();
  const begins: number[] = [];
  const sizes: number[] = [];
  for (const character of run) {
    begins.push(at);
    sizes.push(character.length);
    at += character.length;
    let further = 0;
    for (const part of character.normalize("NFD")) {
      const queue = parts.get(part);
      if (queue === undefined) parts.set(part, { further: [further], next: 0 });
      else queue.further.push(further);
      further = 1;
    }
  }
  let taken = 0;
  for (const character of composed) {
    let change = 1;
    for (const part of character.normalize("NFD")) {
      const queue = parts.get(part);
      if (queue === undefined)
        throw new Error(`internal: NFC of ${JSON.stringify(run)} has a part that its NFD lacks. Please report it.`);
      change += (queue.further[queue.next++] as number) - 1;
    }
    const source = change > 0 ? Math.max(0, taken - 1) : taken;
    place(character, begins[source] as number, sizes[source] as number);
    if (change <= 0) taken += 1 - change;
  }
}

/** The units [start, end) of a placed text. */
export function slicePlaced({ text, base, places }: PlacedText, start: number, end: number): PlacedText {
  if (start === 0 && end === text.length) return { text, base, ...(places === undefined ? {} : { places }) };
  if (places === undefined) return { text: text.slice(start, end), base: base + start };
  return {
    text: text.slice(start, end),
    base,
    places: { from: places.from.subarray(start, end), to: places.to.subarray(start, end) },
  };
}

/** Start of a unit's source character. */
export function fromOf({ base, places }: PlacedText, unit: number): number {
  return places === undefined ? base + unit : (places.from[unit] as number);
}

/** End of the source character of the unit before `end`. */
export function toOf({ base, places }: PlacedText, end: number): number {
  return places === undefined ? base + end : (places.to[end - 1] as number);
}
