/**
 * Gradient accumulation: a batch that does not fit in memory runs in parts. The accumulate program adds each part's
 * gradient sums to state on the device. The apply program reads the sums as its gradients and sets them to zero.
 *
 * Losses and weights are summed beside the gradients and divided once. So a batch cut into uneven parts gives the
 * result of the whole batch.
 */
import type { Graph, Tensor } from "@cloze/graph";
import type { ByName, Parameters } from "./optimizer.ts";

export interface Accumulators {
  /** `grad.<parameter>`, by parameter name. */
  readonly gradients: ByName;
  /** `sum.<name>`, f32 `[]`, by name. */
  readonly sums: ByName;
  /** All accumulators, to declare as a program's state. Zeros at the start. */
  readonly state: readonly Tensor<"f32">[];
}

/** Declares the accumulators of these parameters, and of the scalars named `sums` (e.g. loss and weight). */
export function accumulators(
  graph: Graph,
  parameters: Parameters,
  sums: readonly string[] = ["loss", "weight"],
): Accumulators {
  const gradients = new Map(
    [...parameters].map(([name, { tensor }]) => [name, graph.input(`grad.${name}`, "f32", tensor.shape)]),
  );
  const scalars = new Map(sums.map((name) => [name, graph.input(`sum.${name}`, "f32", [])]));
  return { gradients, sums: scalars, state: [...gradients.values(), ...scalars.values()] };
}

/** Updates that add one part. Every accumulator needs a value: a missing value is an error. */
export function accumulate(
  into: Accumulators,
  gradients: ByName,
  sums: Readonly<Record<string, Tensor<"f32">>>,
): Record<string, Tensor<"f32">> {
  const part = (given: Tensor<"f32"> | undefined, what: string): Tensor<"f32"> => {
    if (given === undefined) throw new RangeError(`accumulate: expected a value for ${what}, got none`);
    return given;
  };
  const updates: Record<string, Tensor<"f32">> = {};
  for (const [name, sum] of into.gradients)
    updates[`grad.${name}`] = sum.add(part(gradients.get(name), `the gradient of "${name}"`));
  for (const [name, sum] of into.sums) updates[`sum.${name}`] = sum.add(part(sums[name], `the sum "${name}"`));
  return updates;
}

/** Updates that set the accumulators to zero, for the program that reads the sums. */
export function resetAccumulators({ gradients, sums }: Accumulators): Record<string, Tensor<"f32">> {
  const zero = (x: Tensor<"f32">): Tensor<"f32"> => x.graph.full(x.shape, 0, "f32");
  return Object.fromEntries([
    ...[...gradients].map(([name, x]) => [`grad.${name}`, zero(x)] as const),
    ...[...sums].map(([name, x]) => [`sum.${name}`, zero(x)] as const),
  ]);
}
