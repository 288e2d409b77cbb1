/** BERT as a family: names, config.json, checkpoints. */
import { bert, bertConfigJson, bertConfigs, bertConfigText, parseBertConfig, type BertSize } from "./bert.ts";
import { bertCheckpoint } from "./bert-checkpoint.ts";
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
  "masked-lm": "BertForMaskedLM",
  "sentence-pair": "BertForNextSentencePrediction",
  "masked-lm+sentence-pair": "BertForPreTraining",
  "sequence-classification": "BertForSequenceClassification",
  "token-classification": "BertForTokenClassification",
  "question-answering": "BertForQuestionAnswering",
  "multiple-choice": "BertForMultipleChoice",
};

const isSize = (name: string): name is BertSize => Object.hasOwn(bertConfigs, name);

export const bertFamily: ModelFamily = {
  type: "bert",
  names: Object.keys(bertConfigs),
  published: (name) => (isSize(name) ? bertConfigJson(bertConfigs[name]) : undefined),
  open(json, { file, vocab, special, zeroInitHead = false }: OpenOptions = {}) {
    const parsed = parseBertConfig(json, file);
    const config = { ...parsed, ...(vocab !== undefined && { vocab }), ...(special && { padTokenId: special.pad }) };
    const model = bert(config, { zeroInitHead });
    const extra = config.extra ?? {};
    const kind = { family: "bert", architectures: ARCHITECTURES };
    const opened: OpenedModel = {
      ...kind,
      model,
      maxLength: config.maxPositions,
      padId: config.padTokenId,
      buffers: {},
      extraParameters: new Map(),
      labels: labelsOf(extra, file),
      unknownKeys: unknownKeys(extra, "bert"),
      head: headOfConfig(json as Readonly<Record<string, unknown>>, ARCHITECTURES),
      notes: bertCheckpoint,
      flopsPerToken: (seq, options) => flopsPerToken(config, seq, options),
      configText: (saved = {}) => bertConfigText(config, savedKeys(kind, extra, saved)),
      vary(settings) {
        checkVariation("bert", settings, []);
        return opened;
      },
    };
    return opened;
  },
};
