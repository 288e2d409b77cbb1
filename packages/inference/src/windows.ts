/**
 * Windows over sequences that are longer than the model's limit. Each window has start and end tokens, like a whole
 * sequence. Windows overlap by at least a quarter of their length and are spread evenly. A residue in several windows
 * gets the mean of its vectors. So where one window ends, another window still gives the residue its context on that
 * side.
 */

/** The range [start, stop) of the body, without special tokens. */
export interface Window {
  readonly start: number;
  readonly stop: number;
}

/** Windows of at most `size` that cover a body of `length`; the first begins at 0, the last ends at `length`. */
export function windowsOf(length: number, size: number): readonly Window[] {
  if (length <= size) return [{ start: 0, stop: length }];
  const step = size - Math.floor(size / 4);
  const count = 1 + Math.ceil((length - size) / step);
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor((i * (length - size)) / (count - 1));
    return { start, stop: start + size };
  });
}

/** Number of windows that cover each position of the body. */
export function coverage(windows: readonly Window[], length: number): Uint16Array {
  const counts = new Uint16Array(length);
  for (const { start, stop } of windows) for (let i = start; i < stop; i++) counts[i] = (counts[i] as number) + 1;
  return counts;
}
