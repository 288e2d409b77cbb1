/** AMPLIFY as a family. Upstream has only the masked-token class; the other two class names exist only here. */
import {
  amplify,
  amplifyCheckpoint,
  amplifyConfigJson,
  amplifyConfigs,
  amplifyConfigText,
  parseAmplifyConfig,
} from "./amplify.ts";
import type { ModelFamily } from "./family.ts";
import { gatedRmsFamily } from "./gated-rms-family.ts";

export const amplifyFamily: ModelFamily = /* @__PURE__ */ gatedRmsFamily({
  type: "AMPLIFY",
  configs: amplifyConfigs,
  architectures: {
    "masked-lm": "AMPLIFY",
    "sequence-classification": "AMPLIFYForSequenceClassification",
    "token-classification": "AMPLIFYForTokenClassification",
  },
  notes: amplifyCheckpoint,
  parse: parseAmplifyConfig,
  json: amplifyConfigJson,
  text: amplifyConfigText,
  model: amplify,
});
