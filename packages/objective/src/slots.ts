/**
 * Prediction slots: an array of fixed size with the positions to predict. The model's states at these positions are
 * gathered before the head runs.
 *
 * A batch fills one slot for each of its targets; the other slots have weight 0. Sizes grow in steps, so that programs
 * of few shapes serve all batches. The first size fits all usual batches. An unusual batch gets a larger size and never
 * loses targets.
 */
import type { HostTensors } from "@cloze/graph";

export interface Target {
  /** Index into the flattened [rows * length] batch. */
  readonly index: number;
  readonly token: number;
  /** Weight of the target in the loss. Default 1. */
  readonly weight?: number;
}

/** The smallest size that holds `needed` slots. `usual`: the expected number of slots, which sets the first size. */
export function slotCount(usual: number, needed: number): number {
  let size = Math.ceil((usual + 8) / 8) * 8;
  while (size < needed) size = Math.ceil((size * 1.25) / 8) * 8;
  return size;
}

/**
 * The feeds `slots.index` i32 [n], `slots.target` i32 [n], `slots.weight` f32 [n]. Empty slots point at token 0 with
 * weight 0.
 */
export function slotFeeds(targets: readonly Target[], usual: number): HostTensors {
  const size = slotCount(usual, targets.length);
  const shape = [size];
  const index = new Int32Array(size);
  const target = new Int32Array(size);
  const weight = new Float32Array(size);
  targets.forEach((t, i) => {
    index[i] = t.index;
    target[i] = t.token;
    weight[i] = t.weight ?? 1;
  });
  return {
    "slots.index": { dtype: "i32", shape, data: index },
    "slots.target": { dtype: "i32", shape, data: target },
    "slots.weight": { dtype: "f32", shape, data: weight },
  };
}
