/**
 * The initial state of a session: parameters, optimizer moments (zeros unless resumed) and accumulators (always zeros).
 */
import { ConfigError, FormatError } from "@cloze/errors";
import { hostTensor, sameShape, showShape, type HostTensor, type HostTensors, type Program } from "@cloze/graph";
import type { Weights } from "./model-source.ts";

/**
 * The values of all state of `programs`: from `weights` or `optimizer`, zeros otherwise. Throws ConfigError for a value
 * of another shape.
 */
export function initialState(programs: readonly Program[], weights: Weights, optimizer?: HostTensors): HostTensors {
  const state: Record<string, HostTensor> = {};
  for (const { attrs, dtype, shape } of programs.flatMap((p) => p.state)) {
    const { name } = attrs;
    const given = weights[name] ?? optimizer?.[name];
    if (given !== undefined && !sameShape(given.shape, shape))
      throw new ConfigError(`state "${name}": expected ${showShape(shape)}, got ${showShape(given.shape)}.`);
    state[name] ??= given ?? hostTensor(dtype, shape);
  }
  return state;
}

/** Throws FormatError if a resumed optimizer state lacks a tensor that the optimizer needs. */
export function checkOptimizerState(names: readonly string[], state: HostTensors, dir: string): void {
  const missing = names.find((name) => !(name in state));
  if (missing === undefined) return;
  const [, now, parameter] = /^(\w+)\.m\.(.+)$/.exec(missing) ?? [];
  const before = Object.keys(state).flatMap((name) =>
    name.endsWith(`.m.${parameter}`) ? [name.split(".")[0]] : [],
  )[0];
  if (parameter !== undefined && before !== undefined)
    throw new FormatError(
      dir,
      `optimizer.safetensors, tensor "${missing}"`,
      `the run trained "${parameter}" by ${before}, and this version trains it by ${now}: parameters are now divided ` +
        "by what they are, and no longer by their names, which were wrong for this model. Start a new run from the " +
        "weights alone with --from.",
    );
  throw new FormatError(
    dir,
    `optimizer.safetensors, tensor "${missing}"`,
    "expected this optimizer state, got no such tensor. Was it saved by another optimizer? Start from the " +
      "weights alone with --from.",
  );
}
