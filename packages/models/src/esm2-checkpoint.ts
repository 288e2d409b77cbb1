/**
 * Notes on ESM-2 checkpoints for a loader, as data. Nothing here reads a file.
 *
 * Rotary frequencies need care. The published weights were trained with f16 parameters, so their buffer holds
 * f16(base^(-2c / headDim)). A model that computes the frequencies again in f32 gives other logits, without a warning.
 * So a loader reads the buffer, and a checkpoint of this model carries the buffer again, under the names that every
 * transformers version reads. Source: the comments at `EsmModel.load_hook` in transformers 5.23 and
 * huggingface/transformers#19587.
 */
import { FormatError } from "@cloze/errors";
import type { HostTensor } from "@cloze/graph";
import { NORMS_OF_OLD, type CheckpointNotes } from "./checkpoint-notes.ts";
import type { Esm2Config } from "./esm2-config.ts";

export const esm2Checkpoint: CheckpointNotes & { readonly ropeFrequencies: RegExp } = {
  prefix: "esm.",
  renamed: NORMS_OF_OLD,
  ignored: [/^esm\.embeddings\.position_ids$/, /^esm\.embeddings\.position_embeddings\.weight$/],
  tied: { "lm_head.decoder.weight": "esm.embeddings.word_embeddings.weight" },
  optional: [/^esm\.contact_head\.regression\.(weight|bias)$/],
  // The frequencies of a layer, of the model, or (transformers 5.23) of a layer called "*".
  ropeFrequencies: /^esm\.(encoder\.layer\.(\d+|\*)\.attention\.self\.)?rotary_embeddings\.inv_freq$/,
};

/** base^(-2c / headDim) for each pair of channels c. */
export function ropeFormula({ hidden, heads, ropeBase }: Esm2Config): number[] {
  const headDim = hidden / heads;
  return Array.from({ length: headDim / 2 }, (_, c) => ropeBase ** ((-2 * c) / headDim));
}

/**
 * The value of `ropeFrequencies` in `esm2(config, { ropeFrequencies })` for the stored frequencies of a checkpoint:
 * undefined where they equal the formula (to 1e-6), else the stored frequencies.
 *
 * Throws FormatError if their number is not headDim / 2 or if they are not finite numbers above 0.
 */
export function ropeFrequenciesFrom(
  config: Esm2Config,
  stored: ArrayLike<number>,
  file = "checkpoint",
): readonly number[] | undefined {
  const expected = ropeFormula(config);
  const got = Array.from(stored);
  if (got.length !== expected.length)
    throw new FormatError(
      file,
      "rotary_embeddings.inv_freq",
      `expected ${expected.length} frequencies (half of head dimension ${config.hidden / config.heads}), got ` +
        `${got.length}.`,
    );
  const wrong = got.find((f) => !(f > 0 && Number.isFinite(f)));
  if (wrong !== undefined)
    throw new FormatError(file, "rotary_embeddings.inv_freq", `expected finite frequencies above 0, got ${wrong}.`);
  return got.every((f, i) => Math.abs(f / (expected[i] as number) - 1) < 1e-6) ? undefined : got;
}

/** The buffers that carry these frequencies: one buffer for each layer. */
export function ropeBuffers(config: Esm2Config, frequencies: readonly number[]): Record<string, HostTensor> {
  const buffer: HostTensor = { dtype: "f32", shape: [frequencies.length], data: Float32Array.from(frequencies) };
  return Object.fromEntries(
    Array.from({ length: config.layers }, (_, i) => [
      `esm.encoder.layer.${i}.attention.self.rotary_embeddings.inv_freq`,
      buffer,
    ]),
  );
}
