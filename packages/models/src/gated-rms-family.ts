/** AMPLIFY and NeoBERT as families: the common code. Their rows are in `amplify-family.ts` and `neobert-family.ts`. */
import type { CheckpointNotes } from "./checkpoint-notes.ts";
import {
  checkVariation,
  headOfConfig,
  savedKeys,
  type ModelFamily,
  type OpenedModel,
  type OpenOptions,
} from "./family.ts";
import { gatedRmsFlopsPerToken, type GatedRms, type GatedRmsOptions } from "./gated-rms.ts";
import type { GatedRmsConfig } from "./gated-rms-config.ts";
import { unknownKeys } from "./config-keys.ts";
import { labelsOf } from "./labels.ts";

type Json = Readonly<Record<string, unknown>>;

export interface GatedRmsFamily {
  /** `model_type`. */
  readonly type: string;
  readonly configs: Readonly<Record<string, GatedRmsConfig>>;
  readonly architectures: OpenedModel["architectures"];
  readonly notes: CheckpointNotes;
  parse(json: unknown, file?: string): GatedRmsConfig;
  json(config: GatedRmsConfig): Json;
  text(config: GatedRmsConfig, saved: Json): string;
  model(config: GatedRmsConfig, options: GatedRmsOptions): GatedRms;
}

export function gatedRmsFamily(family: GatedRmsFamily): ModelFamily {
  const { type, configs, architectures } = family;
  return {
    type,
    names: Object.keys(configs),
    // NeoBERT's config.json also has the quotient of the two keys, `dim_head`.
    supersedes: { hidden_size: ["dim_head"], num_attention_heads: ["dim_head"] },
    published(name) {
      const config = Object.hasOwn(configs, name) ? configs[name] : undefined;
      return config && family.json(config);
    },
    open(json, { file, vocab, special, zeroInitHead = false }: OpenOptions = {}) {
      const config = {
        ...family.parse(json, file),
        ...(vocab !== undefined && { vocab }),
        ...(special && { padTokenId: special.pad }),
      };
      return opened(family, config, headOfConfig(json as Json, architectures), zeroInitHead, file);
    },
  };
}

function opened(
  family: GatedRmsFamily,
  config: GatedRmsConfig,
  head: OpenedModel["head"],
  zeroInitHead: boolean,
  file?: string,
): OpenedModel {
  const kind = { family: family.type, architectures: family.architectures };
  const extra = config.extra ?? {};
  return {
    ...kind,
    model: family.model(config, { zeroInitHead }),
    head,
    maxLength: config.maxPositions,
    padId: config.padTokenId,
    buffers: {},
    extraParameters: new Map(),
    labels: labelsOf(extra, file),
    unknownKeys: unknownKeys(extra, family.type),
    notes: family.notes,
    flopsPerToken: (seq, options) => gatedRmsFlopsPerToken(config, seq, options),
    configText: (saved = {}) => family.text(config, savedKeys(kind, extra, saved)),
    vary(settings) {
      checkVariation(family.type, settings, ["ropeBase"]);
      return opened(family, { ...config, ropeBase: settings.ropeBase ?? config.ropeBase }, head, zeroInitHead, file);
    },
  };
}
