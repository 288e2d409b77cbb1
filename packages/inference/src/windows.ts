/**
 * Sequences that are longer than what a model reads at once: cut into windows, each framed by the start and end tokens
 * as a whole sequence is. Windows overlap by at least a quarter of their length and are spread evenly; a residue that
 * several windows see gets the mean of its vectors, so no residue sees a border on both sides.
 */

/** [start, stop) of the body, without special tokens. */
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

/** How many windows see each place of the body. */
export function coverage(windows: readonly Window[], length: number): Uint16Array {
  const counts = new Uint16Array(length);
  for (const { start, stop } of windows) for (let i = start; i < stop; i++) counts[i] = (counts[i] as number) + 1;
  return counts;
}
