/** NeoBERT as a family. The class name for token classification exists only here. */
import type { ModelFamily } from "./family.ts";
import { gatedRmsFamily } from "./gated-rms-family.ts";
import {
  neoBert,
  neoBertCheckpoint,
  neoBertConfigJson,
  neoBertConfigs,
  neoBertConfigText,
  parseNeoBertConfig,
} from "./neobert.ts";

export const neoBertFamily: ModelFamily = /* @__PURE__ */ gatedRmsFamily({
  type: "neobert",
  configs: neoBertConfigs,
  architectures: {
    "masked-lm": "NeoBERTLMHead",
    "sequence-classification": "NeoBERTForSequenceClassification",
    "token-classification": "NeoBERTForTokenClassification",
  },
  notes: neoBertCheckpoint,
  parse: parseNeoBertConfig,
  json: neoBertConfigJson,
  text: neoBertConfigText,
  model: neoBert,
});
