/** The public API of masked diffusion, an objective package. */
export { maskedDiffusion, maskedDiffusion as objective, type MaskedDiffusionOptions } from "./masked-diffusion.ts";
export { NOISE, type Noise, type NoiseSchedule } from "./noise.ts";
