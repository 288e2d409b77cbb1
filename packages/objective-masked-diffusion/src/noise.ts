/**
 * The noise schedules: the masked fraction at a time t in (0, 1], and the weight of a masked token's loss.
 *
 *     share(t)   probability that a token is masked, 1 - alpha(t)
 *     weight(t)  share'(t) / share(t): with it, the integral over t of weight * E[sum of losses] is the same bound for
 *                every schedule
 *
 * Sources: Sahoo et al. 2024 (MDLM), arXiv:2406.07524, eq. 10; Shi et al. 2024 (MD4), arXiv:2406.04329, table 1, for
 * the cosine.
 */
export interface Noise {
  readonly share: (t: number) => number;
  readonly weight: (t: number) => number;
  /** Mean of the share over t, which sets the number of slots. */
  readonly mean: number;
}

export type NoiseSchedule = "linear" | "cosine";

const QUARTER = Math.PI / 2;

export const NOISE: { readonly [S in NoiseSchedule]: Noise } = {
  linear: { share: (t) => t, weight: (t) => 1 / t, mean: 1 / 2 },
  // 1 - alpha = cos(pi/2 (1 - t)) = sin(pi/2 t)
  cosine: { share: (t) => Math.sin(QUARTER * t), weight: (t) => QUARTER / Math.tan(QUARTER * t), mean: 1 / QUARTER },
};
