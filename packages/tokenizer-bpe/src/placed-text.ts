/**
 * NFC with the place in the text that each character came from, as Python `tokenizers` tells it.
 *
 * The engine composes; places follow from counting. Each decomposed part is the first of its source character (0) or a
 * further one (1); a character composed of k parts changed the text by their sum less k - 1 characters. One that took n
 * source characters stands at the first of them, the others have no place; one that came out of nothing stands where
 * the character before it does. Source: NormalizedString::transform and its nfc of `tokenizers` 0.23.3; Unicode
 * Standard Annex 15.
 */

export interface PlacedText {
  readonly text: string;
  /** Place of the text's first unit, where every unit stands for itself. */
  readonly base: number;
  /**
   * [text.length] [from, to) in UTF-16 units of the character behind each unit; absent: every unit stands for itself.
   */
  readonly places?: { readonly from: Int32Array; readonly to: Int32Array };
}

/** What can change together: a character and the marks, vowels and finals that may join it. */
const RUNS: RegExp = /[^\p{M}\u1160-\u11ff\u{16d67}]?[\p{M}\u1160-\u11ff\u{16d67}]+|[^]/gu;

/** `text[start, end)` as it is. */
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
  // Equal parts keep their order in NFC, so that each is found by its character alone.
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

/** Units [start, end) of a placed text. */
export function slicePlaced({ text, base, places }: PlacedText, start: number, end: number): PlacedText {
  if (start === 0 && end === text.length) return { text, base, ...(places === undefined ? {} : { places }) };
  if (places === undefined) return { text: text.slice(start, end), base: base + start };
  return {
    text: text.slice(start, end),
    base,
    places: { from: places.from.subarray(start, end), to: places.to.subarray(start, end) },
  };
}

/** Where the character behind a unit begins. */
export function fromOf({ base, places }: PlacedText, unit: number): number {
  return places === undefined ? base + unit : (places.from[unit] as number);
}

/** Where the character of the unit before `end` ends. */
export function toOf({ base, places }: PlacedText, end: number): number {
  return places === undefined ? base + end : (places.to[end - 1] as number);
}
