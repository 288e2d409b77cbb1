/** ModernBERT as a family: names, config.json, checkpoints. */
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
import {
  modernBert,
  modernBertCheckpoint,
  modernBertConfigJson,
  modernBertConfigs,
  modernBertConfigText,
  modernBertFlopsPerToken,
  parseModernBertConfig,
  type ModernBertConfig,
  type ModernBertSize,
} from "./modernbert.ts";

const ARCHITECTURES: OpenedModel["architectures"] = {
  "masked-lm": "ModernBertForMaskedLM",
  "sequence-classification": "ModernBertForSequenceClassification",
  "token-classification": "ModernBertForTokenClassification",
  "question-answering": "ModernBertForQuestionAnswering",
  "multiple-choice": "ModernBertForMultipleChoice",
};

const isSize = (name: string): name is ModernBertSize => Object.hasOwn(modernBertConfigs, name);

/**
 * The token ids that config.json names. An id is null where the tokenizer has no such token; without the null,
 * transformers would use its own default ids.
 */
const idsOf = ({
  start = null,
  end = null,
}: {
  readonly start?: number | null;
  readonly end?: number | null;
}): Readonly<Record<string, number | null>> => ({
  bos_token_id: start,
  cls_token_id: start,
  eos_token_id: end,
  sep_token_id: end,
});

export const modernBertFamily: ModelFamily = {
  type: "modernbert",
  names: Object.keys(modernBertConfigs),
  supersedes: {
    num_hidden_layers: ["layer_types"],
    global_attn_every_n_layers: ["layer_types"],
    local_attention: ["sliding_window"],
  },
  published: (name) =>
    isSize(name)
      ? modernBertConfigJson({ ...modernBertConfigs[name], extra: idsOf({ start: 50_281, end: 50_282 }) })
      : undefined,
  open(json, { file, vocab, special, zeroInitHead = false }: OpenOptions = {}) {
    const parsed = parseModernBertConfig(json, file);
    const extra = { ...parsed.extra, ...(special && idsOf(special)) };
    const config = {
      ...parsed,
      ...(vocab !== undefined && { vocab }),
      ...(special && { padTokenId: special.pad }),
      extra,
    };
    return opened(config, headOfConfig(json as Readonly<Record<string, unknown>>, ARCHITECTURES), zeroInitHead, file);
  },
};

function opened(
  config: ModernBertConfig,
  head: OpenedModel["head"],
  zeroInitHead: boolean,
  file?: string,
): OpenedModel {
  const kind = { family: "modernbert", architectures: ARCHITECTURES };
  const extra = config.extra ?? {};
  return {
    ...kind,
    model: modernBert(config, { zeroInitHead }),
    head,
    maxLength: config.maxPositions,
    padId: config.padTokenId,
    buffers: {},
    extraParameters: new Map(),
    labels: labelsOf(extra, file),
    unknownKeys: unknownKeys(extra, "modernbert"),
    notes: modernBertCheckpoint,
    flopsPerToken: (seq, options) => modernBertFlopsPerToken(config, seq, options),
    configText: (saved = {}) => modernBertConfigText(config, savedKeys(kind, extra, saved)),
    vary(settings) {
      checkVariation("modernbert", settings, ["window", "ropeBase"]);
      const { window: localWindow = config.localWindow, ropeBase: globalRopeBase = config.globalRopeBase } = settings;
      return opened({ ...config, localWindow, globalRopeBase }, head, zeroInitHead, file);
    },
  };
}
