/**
 * The check that results are finite. NaN and infinities are no results of an encoder: they come from weights that are
 * not finite, or from an overflow. The weights are read only after a bad result, to name the cause.
 */
import { ConfigError } from "@cloze/errors";
import type { HostTensors } from "@cloze/graph";

/** Index of the first number that is NaN or infinite, or -1. */
export function firstNotFinite(numbers: ArrayLike<number>): number {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return i;
  return -1;
}

/** Throws ConfigError if a number is NaN or infinite. `where` names the record; `weights` are those of the model. */
export function expectFinite(numbers: ArrayLike<number>, where: string, weights: HostTensors): void {
  const at = firstNotFinite(numbers);
  if (at < 0) return;
  throw new ConfigError(`${where}: expected finite numbers, got ${numbers[at]}. ${causeIn(weights)}`);
}

/** The first tensor with a number that is not finite, in words; otherwise the next step. */
export function causeIn(weights: HostTensors): string {
  for (const [name, { data }] of Object.entries(weights)) {
    const at = firstNotFinite(data as ArrayLike<number>);
    if (at >= 0)
      return (
        `The weights are not finite: the tensor "${name}" holds ${data[at]} at element ${at}. Take another ` +
        "checkpoint."
      );
  }
  return "The weights are finite, so numbers overflow inside the model: compute in f32, and check the checkpoint.";
}
