/** The speedrun encoder as a family: names, config.json, checkpoints. Its class names exist only here. */
import {
  checkVariation,
  headOfConfig,
  savedKeys,
  type ModelFamily,
  type OpenedModel,
  type OpenOptions,
} from "./family.ts";
import { unknownKeys } from "./config-keys.ts";
import { labelsOf } from "./labels.ts";
import type { CheckpointNotes } from "./checkpoint-notes.ts";
import {
  parseSpeedrunConfig,
  speedrun,
  speedrunConfigJson,
  speedrunConfigs,
  speedrunConfigText,
  speedrunFlopsPerToken,
  type SpeedrunConfig,
  type SpeedrunOptions,
  type SpeedrunSize,
} from "./speedrun.ts";

const ARCHITECTURES: OpenedModel["architectures"] = {
  "masked-lm": "SpeedrunForMaskedLM",
  "sequence-classification": "SpeedrunForSequenceClassification",
  "token-classification": "SpeedrunForTokenClassification",
};

const NOTES: CheckpointNotes = {
  prefix: "model.",
  renamed: [],
  ignored: [],
  tied: { "lm_head.decoder.weight": "model.embeddings.tokens.weight" },
  optional: [],
};

const isSize = (name: string): name is SpeedrunSize => Object.hasOwn(speedrunConfigs, name);

export const speedrunFamily: ModelFamily = {
  type: "cloze_speedrun",
  names: Object.keys(speedrunConfigs),
  supersedes: { expansion_ratio: ["intermediate_size"] },
  published: (name) => (isSize(name) ? speedrunConfigJson(speedrunConfigs[name]) : undefined),
  open(json, { file, vocab, special, zeroInitHead }: OpenOptions = {}) {
    const ids = special && {
      padTokenId: special.pad,
      ...(special.mask !== undefined && { maskTokenId: special.mask }),
    };
    const config = { ...parseSpeedrunConfig(json, file), ...(vocab !== undefined && { vocab }), ...ids };
    return opened(
      config,
      headOfConfig(json as Readonly<Record<string, unknown>>, ARCHITECTURES),
      zeroInitHead === undefined ? {} : { zeroInitHead },
      file,
    );
  },
};

function opened(
  config: SpeedrunConfig,
  head: OpenedModel["head"],
  options: SpeedrunOptions,
  file?: string,
): OpenedModel {
  const kind = { family: "cloze_speedrun", architectures: ARCHITECTURES };
  const extra = config.extra ?? {};
  const model = speedrun(config, options);
  const { outputs: _, ...unseen } = model;
  return {
    // A patch U-net has no `outputs`.
    ...kind,
    model: config.patchUnet ? unseen : model,
    head,
    maxLength: config.maxPositions,
    padId: config.padTokenId,
    buffers: {},
    extraParameters: new Map(),
    labels: labelsOf(extra, file),
    unknownKeys: unknownKeys(extra, "cloze_speedrun"),
    notes: NOTES,
    flopsPerToken: (seq, options) => speedrunFlopsPerToken(config, seq, options),
    configText: (saved = {}) => speedrunConfigText(config, savedKeys(kind, extra, saved)),
    vary(settings) {
      checkVariation("cloze_speedrun", settings, ["window", "ropeBase"]);
      const { window = config.window, ropeBase = config.ropeBase } = settings;
      return opened({ ...config, window, ropeBase }, head, options, file);
    },
  };
}
