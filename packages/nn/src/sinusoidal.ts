/**
 * Sinusoidal positional encoding: no parameters, no limit on the length of a sequence.
 *
 *   encoding(p)[2c] = sin(p / base^(2c / hidden))      encoding(p)[2c + 1] = cos(p / base^(2c / hidden))
 *
 * Frequencies are computed in f32 through exp. At position 512 the error of an angle is below 1e-4.
 * Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
 */
import { ConfigError } from "@cloze/errors";
import { dims, type Tensor } from "@cloze/graph";

export interface SinusoidalOptions {
  readonly hidden: number;
  /** Default 10,000. */
  readonly base?: number;
  /**
   * Sines and cosines alternate as in the paper (default), or all sines come first as in the paper's code,
   * tensor2tensor.
   */
  readonly layout?: "interleaved" | "halves";
}

/** Shapes: positions `[batch, seq]` i32 -> `[batch, seq, hidden]` f32. Throws ConfigError if hidden is odd. */
export function sinusoidalPositions(
  positions: Tensor<"i32">,
  { hidden, base = 10_000, layout = "interleaved" }: SinusoidalOptions,
): Tensor<"f32"> {
  const { batch, seq } = dims("sinusoidalPositions(positions)", positions, "batch seq");
  const half = hidden / 2;
  const { graph } = positions;
  if (!Number.isSafeInteger(half) || half < 1)
    throw new ConfigError(
      `sinusoidalPositions: expected an even hidden size (sines and cosines come in pairs), got ${hidden}.`,
    );
  const frequencies = graph
    .iota([half], 0)
    .cast("f32")
    .mul(-Math.log(base) / half)
    .exp();
  const angles = positions
    .cast("f32")
    .reshape([batch, seq, 1])
    .mul(frequencies.reshape([1, 1, half]));
  const sin = angles.sin();
  const cos = angles.cos();
  if (layout === "halves") return sin.concat([cos], 2);
  const pair = [batch, seq, half, 1];
  return sin
    .reshape(pair)
    .concat([cos.reshape(pair)], 3)
    .reshape([batch, seq, hidden]);
}
