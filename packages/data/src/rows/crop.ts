/** The crop of a sequence that is too long: a window of `kept` tokens, drawn for each (seed, epoch, example). */
import { RandomStream } from "@cloze/random";

export interface CropKey {
  readonly seed: number;
  readonly epoch: number;
  readonly example: number;
}

/**
 * First token of the window, uniform over all windows that fit; 0 if the sequence is not too long.
 *
 * @example
 * cropStart(10, 20, { seed: 0, epoch: 0, example: 3 })  // => 0
 */
export function cropStart(length: number, kept: number, key: CropKey): number {
  if (length <= kept) return 0;
  return new RandomStream(key.seed)
    .split("crop")
    .split(key.epoch)
    .below(length - kept + 1, key.example);
}
