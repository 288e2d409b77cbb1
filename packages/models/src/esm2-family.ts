/** ESM-2 as a family: names, config.json, checkpoints. */
import { encoderInputs, parametersOf } from "@cloze/nn";
import {
  esm2,
  esm2Checkpoint,
  esm2ConfigJson,
  esm2Configs,
  esm2ConfigText,
  parseEsm2Config,
  ropeFrequenciesFrom,
  type Esm2Config,
  type Esm2Options,
  type Esm2Size,
} from "./esm2.ts";
import {
  checkVariation,
  headOfConfig,
  savedKeys,
  type ModelFamily,
  type OpenedModel,
  type OpenOptions,
} from "./family.ts";
import { flopsPerToken } from "./flops.ts";
import { unknownKeys } from "./config-keys.ts";
import { labelsOf } from "./labels.ts";

const ARCHITECTURES: OpenedModel["architectures"] = {
  "masked-lm": "EsmForMaskedLM",
  "sequence-classification": "EsmForSequenceClassification",
  "token-classification": "EsmForTokenClassification",
};

const isSize = (name: string): name is Esm2Size => Object.hasOwn(esm2Configs, name);

export const esm2Family: ModelFamily = {
  type: "esm",
  names: Object.keys(esm2Configs),
  published: (name) => (isSize(name) ? esm2ConfigJson(esm2Configs[name]) : undefined),
  open(json, { file, vocab, special, zeroInitHead = false, ropeFrequencies: stored }: OpenOptions = {}) {
    const parsed = parseEsm2Config(json, file);
    const ids = special && {
      padTokenId: special.pad,
      ...(special.mask !== undefined && { maskTokenId: special.mask }),
      ...(special.end !== undefined && { eosTokenId: special.end }),
    };
    const config = { ...parsed, ...(vocab !== undefined && { vocab }), ...ids };
    const frequencies = stored && ropeFrequenciesFrom(config, stored, file);
    return opened(
      config,
      headOfConfig(json as Readonly<Record<string, unknown>>, ARCHITECTURES),
      { zeroInitHead, ...(frequencies && { ropeFrequencies: frequencies }) },
      file,
    );
  },
};

function opened(config: Esm2Config, head: OpenedModel["head"], options: Esm2Options, file?: string): OpenedModel {
  const model = esm2(config, options);
  const kind = { family: "esm", architectures: ARCHITECTURES };
  const extra = config.extra ?? {};
  return {
    ...kind,
    model,
    head,
    maxLength: config.maxPositions - 2,
    padId: config.padTokenId,
    buffers: model.buffers,
    labels: labelsOf(extra, file),
    unknownKeys: unknownKeys(extra, "esm"),
    notes: esm2Checkpoint,
    // Every ESM-2 model of transformers has a contact head.
    extraParameters: parametersOf((scope) => {
      const inputs = encoderInputs(scope.graph, 1, 4);
      model.contacts(scope, inputs, model.outputs(scope, inputs).attentions);
    }),
    flopsPerToken: (seq, options) => flopsPerToken(config, seq, options),
    configText: (saved = {}) => esm2ConfigText(config, savedKeys(kind, extra, saved)),
    vary(settings) {
      checkVariation("esm", settings, ["ropeBase"]);
      const { ropeBase = config.ropeBase } = settings;
      const { ropeFrequencies, ...rest } = options;
      // The frequencies of a checkpoint belong to its own base. For another base the formula gives the frequencies.
      return opened(
        { ...config, ropeBase },
        head,
        ropeBase === config.ropeBase && ropeFrequencies ? options : rest,
        file,
      );
    },
  };
}
